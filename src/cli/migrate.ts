import type { Command } from "commander";
import { openLog } from "../log.ts";
import { migrate, surveyMigrations } from "../postgres/migrate.ts";
import { readDatabaseUrl } from "../settings/index.ts";
import { type GlobalOptions, surroundings } from "./ask.ts";
import { printJson } from "./print.ts";
import { printable } from "./table.ts";

/** `migrate`: brings the database to the schema of this version, or says what is missing. */
export function addMigrateCommand(program: Command): void {
  program
    .command("migrate")
    .description("brings the database LEARNER_DATABASE_URL to the schema of this version")
    .option("--dry-run", "only say which migrations are missing")
    .addHelpText(
      "after",
      `
Safe to repeat, and to run from several places at once. A database that is already newer is left as it is.
--timeout is for connecting, for the question what is missing, and for another migration that is under way, which is named;
a migration of its own takes the time that it takes.
With --dry-run it ends with 0 though something is to be done; how many steps there are, --json tells.

Examples:
  LEARNER_DATABASE_URL=postgres://migrator:…@db:5432/experience_bus experience-bus migrate
  experience-bus migrate --dry-run --json`,
    )
    .action((options: { dryRun?: boolean }, command: Command) =>
      run(command.optsWithGlobals<GlobalOptions>(), options.dryRun ?? false),
    );
}

async function run(global: GlobalOptions, dryRun: boolean): Promise<void> {
  const warnings: string[] = [];
  const url = readDatabaseUrl(surroundings(), { writes: !dryRun, warnings });
  for (const warning of warnings) complain(warning);
  const { timeout } = global;
  const { pending, isNewer } = await surveyMigrations(url, { timeoutSeconds: timeout });
  if (!dryRun && !isNewer) {
    const log = openLog("warn", process.stderr.isTTY === true, 2);
    const limits = { connectSeconds: timeout, waitMs: timeout * 1_000 };
    await migrate(url, { log, ...limits, onWaiting: complain });
  }
  if (global.json) return printJson({ migrations: pending, newer: isNewer, dry_run: dryRun });
  const verb = dryRun ? "to apply" : "applied";
  for (const tag of pending) console.log(`${verb}  ${tag}`);
  if (isNewer) console.log("The database is newer than this version: it is left as it is.");
  else if (pending.length === 0) console.log("The database has the schema of this version.");
}

function complain(sentence: string): void {
  console.error(`experience-bus: ${printable(sentence)}`);
}
