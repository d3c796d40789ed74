import type { Command } from "commander";
import type { Database } from "../postgres/client.ts";
import { readDatabaseUrl } from "../settings/index.ts";
import { type GlobalOptions, surroundings } from "./ask.ts";

/** For a command that reads PostgreSQL itself. */
export function withDatabase(command: Command): Command {
  return command.option("--database <url>", "PostgreSQL, instead of LEARNER_DATABASE_URL");
}

/** Opens what `withDatabase`, the environment or running embedded servers name, and closes it after the work. */
export async function reading(
  command: Command,
  work: (database: Database, options: GlobalOptions) => Promise<void>,
): Promise<void> {
  const { database: url, ...options } = command.optsWithGlobals<
    GlobalOptions & { database?: string }
  >();
  const { openDatabase, silentLog } = await import("../postgres/client.ts");
  const warnings: string[] = [];
  const env = { ...surroundings(), ...(url && { LEARNER_DATABASE_URL: url }) };
  const database = openDatabase({
    url: readDatabaseUrl(env, { warnings }),
    poolSize: 1,
    deadlineMs: options.timeout * 1_000,
    log: silentLog,
  });
  for (const warning of warnings) console.error(`experience-bus: ${warning}`);
  try {
    await work(database, options);
  } finally {
    await database.close();
  }
}
