import { parseArgs } from "node:util";
import { BusError, messageOf } from "../errors.ts";
import { openLog } from "../log.ts";
import { migrate } from "./migrate.ts";

const usage = `Usage: npm run db:migrate

Brings the database LEARNER_DATABASE_URL (postgres://user:password@host:port/database) to the schema
of this version. Safe to repeat, and to run from several places at once. A database that is already
newer is left as it is.

Exit codes: 0 the schema is there, 1 it could not be applied, 2 bad settings or arguments.
`;

process.exitCode = await main(process.argv.slice(2), process.env["LEARNER_DATABASE_URL"] ?? "");

async function main(args: string[], databaseUrl: string): Promise<0 | 1 | 2> {
  const options = readArguments(args);
  if (options === null) return refuse(`unknown arguments: ${args.join(" ")}\n\n${usage}`);
  if (options.help) {
    process.stdout.write(usage);
    return 0;
  }
  if (databaseUrl === "") return refuse("LEARNER_DATABASE_URL is not set\n");
  try {
    await migrate(databaseUrl, { log: openLog("info", process.stdout.isTTY) });
    return 0;
  } catch (error) {
    const badUrl = error instanceof BusError && error.code === "bad_request";
    process.stderr.write(`${messageOf(error)}\n`);
    return badUrl ? 2 : 1;
  }
}

function readArguments(args: string[]): { help: boolean } | null {
  try {
    const { values } = parseArgs({ args, options: { help: { type: "boolean", short: "h" } } });
    return { help: values.help ?? false };
  } catch {
    return null;
  }
}

function refuse(text: string): 2 {
  process.stderr.write(text);
  return 2;
}
