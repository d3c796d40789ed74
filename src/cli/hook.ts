import type { Command } from "commander";
import { examples } from "./print.ts";

const about = `
For agents that run commands as hooks: what the agent gives on standard input goes to POST /ingest/hooks/<agent>, and
what comes back, a lesson about a failure, is printed for the agent. It takes 300 ms at most and always exits with 0:
whatever is wrong here, the agent goes on. While the service is away hooks wait in a file (10 MB at most) and are sent
with a later one.

EXPERIENCE_URL (http://127.0.0.1:9109) says where the service is, EXPERIENCE_TOKEN is its bearer token,
EXPERIENCE_SPOOL the file (~/.experience-bus/hooks.jsonl). EXPERIENCE_HOOK_DEBUG=1 says on standard error what went
wrong.`;

/** `hook <agent>`: one hook of a coding agent, from standard input. */
export function addHookCommand(program: Command): void {
  program
    .command("hook [agent]")
    .description("passes on a hook of claude-code, codex or gemini; always exits with 0")
    // An exit code of 2 would stop the agent's call: nothing here is bad usage.
    .allowUnknownOption()
    .allowExcessArguments()
    .addHelpText("after", about)
    .addHelpText("after", examples("hook codex < hook.json"))
    .action(async (agent = "") => {
      const { passOn } = await import("./hook-sending.ts");
      await passOn(agent, process.env);
    });
}
