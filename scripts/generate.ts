/**
 * Writes what follows from the declarations of the concerns into the files that people read: rights in
 * deploy/nats/nats-server.conf, privileges in deploy/postgres/roles.sql, the endpoints in README.md. Each has lines
 * "generated: <part>" and "end of <part>"; what is between them is replaced. With --check nothing is written, and it
 * exits with 1 when a file is not what would be written.
 */
import { readFileSync, writeFileSync } from "node:fs";
import {
  endpointsOf,
  permissionsOf,
  privilegesOf,
  provisioningPermissionsOf,
} from "../src/handlers/derived.ts";
import { concerns } from "../src/handlers/index.ts";
import type { Permission } from "../src/nats/grants.ts";
import { includesSubject } from "../src/nats/subject-pattern.ts";
import { readSettings } from "../src/settings/index.ts";

const settingsOf = (user: string) =>
  readSettings({
    NATS_URL: "nats://127.0.0.1",
    NATS_INBOX_PREFIX: `_INBOX_${user}`,
    LEARNER_DATABASE_URL: "postgres://127.0.0.1/experience_bus",
    EXPERIENCE_PROVISION: "verify",
    // So that it can be turned on without a change of rights.
    EXPERIENCE_INGEST: "on",
  });

/** Subjects of an allow list, under the reason for each; a subject that another one includes is left out. */
function allowList(needed: readonly Permission[], operation: Permission["operation"]): string[] {
  const all = needed.filter((one) => one.operation === operation);
  const isIncluded = (one: Permission) =>
    all.some(
      (other) =>
        other !== one && other.queue === one.queue && includesSubject(other.subject, one.subject),
    );
  const byReason = new Map<string, string[]>();
  for (const one of all.filter((permission) => !isIncluded(permission))) {
    const subject = one.queue === undefined ? one.subject : `${one.subject} ${one.queue}`;
    byReason.set(one.why, [...(byReason.get(one.why) ?? []), subject]);
  }
  return [...byReason].flatMap(([why, subjects]) =>
    subjects.length === 1
      ? [`"${subjects[0]}" # ${why}`]
      : [`# ${why}`, ...subjects.map((subject) => `"${subject}"`)],
  );
}

function grants(): string[] {
  return Object.entries(privilegesOf()).map(
    ([table, privileges]) => `('experience_service', '${table}', '${privileges.join(", ")}'),`,
  );
}

function ownedTables(): string[] {
  const names = Object.keys(privilegesOf()).map((table) => `'${table.split(".")[1]}'`);
  return [`AND relname IN (${names.join(", ")})`];
}

function endpointRows(): string[] {
  const rows = endpointsOf(concerns, "<instance id>").map(
    ({ name, subject, does }) => `| \`${name}\` | \`${subject}\` | ${does} |`,
  );
  return ["| endpoint | subject | what it does |", "|---|---|---|", ...rows];
}

const parts: Record<string, Record<string, () => string[]>> = {
  "deploy/nats/nats-server.conf": {
    "service publishes": () => allowList(permissionsOf(settingsOf("service")), "publish"),
    "service subscribes": () => allowList(permissionsOf(settingsOf("service")), "subscribe"),
    "provisioner publishes": () =>
      allowList(provisioningPermissionsOf(settingsOf("provisioner")), "publish"),
  },
  "deploy/postgres/roles.sql": { "service grants": grants, "owned tables": ownedTables },
  "README.md": { endpoints: endpointRows },
};

/** Replaces what is between the markers of a part, at the indentation of the first one. */
function replaced(text: string, path: string, part: string, lines: readonly string[]): string {
  const region = new RegExp(
    `^([ \\t]*)([^\\n]*generated: ${part}[^\\n]*\\n)[^]*?(^[^\\n]*end of ${part}[^\\n]*$)`,
    "m",
  );
  if (!region.test(text)) throw new Error(`${path} has no part "${part}"`);
  return text.replace(region, (_, indent: string, first: string, last: string) => {
    const body = lines.map((line) => `${indent}${line}\n`).join("");
    return `${indent}${first}${body}${last}`;
  });
}

for (const [path, of] of Object.entries(parts)) {
  const file = new URL(`../${path}`, import.meta.url);
  const before = readFileSync(file, "utf8");
  let after = before;
  for (const [part, lines] of Object.entries(of)) after = replaced(after, path, part, lines());
  if (after === before) continue;
  if (process.argv.includes("--check")) {
    process.stderr.write(`${path} is not what the declarations say: npm run generate\n`);
    process.exitCode = 1;
  } else {
    writeFileSync(file, after);
  }
}
