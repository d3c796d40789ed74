/**
 * Exits with 1 when src/schema/tables.ts and drizzle/ have drifted apart: lets drizzle-kit generate
 * into a copy, and looks what it says. Needs no network and no database, and leaves no files.
 */
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const copied = ["drizzle", "drizzle.config.ts", "package.json", "src/schema"];

const copy = mkdtempSync(join(tmpdir(), "experience-bus-migrations-"));
try {
  for (const path of copied) cpSync(join(root, path), join(copy, path), { recursive: true });
  symlinkSync(join(root, "node_modules"), join(copy, "node_modules"));
  const before = migrations();
  const said = drizzleKit("check") + drizzleKit("generate");
  // drizzle-kit 0.31 exits with 0 when it fails too, for one when a rename makes it want to ask.
  if (!said.includes("No schema changes")) {
    const added = migrations().filter((file) => !before.includes(file));
    const missing = added.map((file) => readFileSync(join(copy, "drizzle", file), "utf8"));
    process.stderr.write(
      `drizzle/ lacks a migration: npm run db:generate -- --name <name>\n\n${missing.join("\n") || said}\n`,
    );
    process.exitCode = 1;
  }
} finally {
  rmSync(copy, { recursive: true, force: true });
}

function migrations(): string[] {
  return readdirSync(join(copy, "drizzle")).filter((file) => file.endsWith(".sql"));
}

function drizzleKit(action: "check" | "generate"): string {
  const command = join(copy, "node_modules/drizzle-kit/bin.cjs");
  const { status, stdout, stderr } = spawnSync(process.execPath, [command, action], {
    cwd: copy,
    input: "",
    encoding: "utf8",
    timeout: 60_000,
  });
  const said = `${stdout}${stderr}`;
  if (status !== 0) {
    process.stderr.write(said);
    process.exitCode = 1;
  }
  return said;
}
