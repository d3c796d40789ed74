import { createHash, randomBytes } from "node:crypto";
import { type Command, Option } from "commander";
import { rights } from "../handlers/declared-endpoint.ts";
import { parseTokens } from "../http/tokens.ts";
import type { GlobalOptions } from "./ask.ts";
import { examples, printJson } from "./print.ts";

interface NewToken {
  readonly name: string;
  readonly tenant: string;
  readonly may: readonly string[];
}

/** `tokens new`: a token for the HTTP API, and what the service needs to know of it. */
export function addTokenCommands(program: Command): void {
  const tokens = program
    .command("tokens")
    .description("tokens of the HTTP API")
    .addHelpText("after", examples("tokens new --name ci --tenant acme --may publish recall"));
  tokens
    .command("new")
    .description("makes a token: shown once, with the line for the file EXPERIENCE_HTTP_TOKENS")
    .requiredOption("--name <name>", "whose it is, for logs and limits")
    .requiredOption("--tenant <id>", 'whose data it is for; "*": those of all tenants')
    .addOption(
      new Option("--may <rights...>", "what it may do").choices([...rights]).makeOptionMandatory(),
    )
    .addHelpText(
      "after",
      examples(
        "tokens new --name ci --tenant acme --may publish recall",
        "tokens new --name ops --tenant '*' --may read review admin --json",
      ),
    )
    .action((options: NewToken, command: Command) =>
      printToken(options, command.optsWithGlobals<GlobalOptions>()),
    );
}

function printToken({ name, tenant, may }: NewToken, { json }: GlobalOptions): void {
  const token = `eb_${randomBytes(32).toString("base64url")}`;
  const sha256 = createHash("sha256").update(token).digest("hex");
  const line = JSON.stringify({ name, sha256, tenant_id: tenant, may: [...new Set(may)] });
  // Refused here rather than by the service.
  parseTokens(line);
  if (json) {
    printJson({ token, line });
    return;
  }
  console.log(`The token, which is not shown again:\n${token}\n`);
  console.log(`The line for the file that EXPERIENCE_HTTP_TOKENS names:\n${line}`);
}
