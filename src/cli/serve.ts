import type { Command } from "commander";
import { loadAndServe } from "../runtime/process.ts";
import type { GlobalOptions } from "./ask.ts";
import { Ended, exitCodes } from "./exit.ts";
import { examples } from "./print.ts";

/** `serve`: the service itself, as `node dist/main.js` runs it. */
export function addServeCommand(program: Command): void {
  program
    .command("serve")
    .description("runs the service until SIGTERM or SIGINT; settings come from the environment")
    .addHelpText(
      "after",
      examples(
        "serve",
        "serve --server nats://127.0.0.1:4222   # instead of NATS_URL",
        "config print                           # with which settings it would run",
      ),
    )
    .action(async (_: object, command: Command) => {
      const { server } = command.optsWithGlobals<GlobalOptions>();
      // For other commands the end of their reader is their end.
      for (const stream of [process.stdout, process.stderr]) stream.removeAllListeners("error");
      const env = { ...process.env, ...(server && { NATS_URL: server }) };
      const served = loadAndServe({ env, exit: process.exit }, () => import("../serve.ts"));
      const code = await served;
      if (code !== exitCodes.done) throw new Ended(code);
    });
}
