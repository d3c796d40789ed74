import { messageOf } from "../errors.ts";
import { privilegesOf } from "../handlers/derived.ts";
import { type Database, openDatabase, silentLog } from "../postgres/client.ts";
import { translate } from "../postgres/errors.ts";
import { surveyMigrations } from "../postgres/migrate.ts";
import {
  grantsScript,
  isReadOnly,
  missingPrivileges,
  missingTables,
} from "../postgres/privileges.ts";
import { stateOf, verdictOn } from "../postgres/session.ts";
import { type DatabaseTarget, nameOf } from "../postgres/target.ts";
import { targetOf } from "../postgres/url.ts";
import { databaseAdvice } from "../settings/database.ts";
import type { Settings } from "../settings/index.ts";
import { judgeSkew, skewMs } from "./clock.ts";
import { examine, type Found, type Report } from "./finding.ts";

/** The oldest that is tested is the oldest that its makers still maintain. */
const oldestServer = 14;

const newer = "the database has migrations that this version does not know: it is of a newer one";

export async function examinePostgres(
  { databaseUrl: url }: Settings,
  timeoutMs: number,
  report: Report,
): Promise<void> {
  const target = targetOf(url);
  const database = openDatabase({ url, poolSize: 1, deadlineMs: timeoutMs, log: silentLog });
  try {
    let isReached = false;
    await examine(report, "PostgreSQL", async (found) => {
      for (const advice of databaseAdvice(url)) found.warning(advice);
      await examineHosts(target, timeoutMs, found);
      const { version, user } = await identify(database);
      isReached = true;
      found.ok(`reached as ${user}, and it takes the credentials`);
      const [status, text] = judgeEncryption(target);
      found[status](text);
      if (database.isPooled()) found.ok("behind a pooler: limits are set in each transaction");
      if (Number.parseInt(version, 10) < oldestServer) {
        found.failed(`PostgreSQL ${version} is too old: ${oldestServer} or later is needed`);
      } else found.ok(`PostgreSQL ${version}`);
      if (await isReadOnly(database)) found.failed("it is read-only: a standby?");
    });
    // What follows would only say the same again.
    if (!isReached) return;
    await examine(report, "privileges in PostgreSQL", async (found) => {
      const missing = await missingPrivileges(database, privilegesOf());
      if (missing.length === 0) found.ok("all granted");
      for (const { table, privilege } of missing) {
        found.failed(`missing: ${privilege} on ${table}; ${grantsScript} grants it`);
      }
    });
    await examine(report, "migrations", async (found) => {
      const timeoutSeconds = timeoutMs / 1_000;
      const { pending, isNewer } = await surveyMigrations(url, { timeoutSeconds });
      for (const tag of pending)
        found.failed(`${tag} is pending: experience-bus migrate applies it`);
      if (isNewer) found.warning(newer);
      if (isNewer || pending.length > 0) return;
      const missing = await missingTables(database, privilegesOf());
      if (missing.length === 0) found.ok("all applied");
      for (const table of missing)
        found.failed(`table ${table} is missing, and no migration makes it`);
    });
    await examine(report, "clock of PostgreSQL", async (found) => {
      const askedAt = Date.now();
      const theirs = await clockOf(database);
      const [status, text] = judgeSkew(skewMs(theirs, askedAt, Date.now()));
      found[status](text);
    });
  } finally {
    await database.close();
  }
}

/** Of several: which would be taken, and why others would not. */
async function examineHosts(
  target: DatabaseTarget,
  timeoutMs: number,
  found: Found,
): Promise<void> {
  if (target.hosts.length === 1) return;
  const limitMs = timeoutMs / 2;
  const states = target.hosts.map((host) =>
    stateOf(target, host, limitMs).then(
      (state) => ({ host, what: verdictOn(target.attributes, state).what }),
      (error: unknown) => ({ host, error: translate(error) }),
    ),
  );
  for (const state of await Promise.all(states)) {
    const name = nameOf(state.host);
    if ("what" in state) found.ok(`${name} ${state.what}`);
    else found.warning(`${name} is passed over: ${messageOf(state.error)}`);
  }
}

/** What an eavesdropper, or somebody in the server's place, gets to see. */
export function judgeEncryption({
  tls,
  hosts,
}: Pick<DatabaseTarget, "tls" | "hosts">): ["ok" | "warning", string] {
  const isLocal = hosts.every((one) => "path" in one || /^(localhost|127\..*|::1)$/.test(one.host));
  if (tls === null) {
    return isLocal
      ? ["ok", "not encrypted, on this machine"]
      : ["warning", "not encrypted: sslmode=verify-full encrypts, and makes sure of the server"];
  }
  if (tls.mode === "verify-full") return ["ok", "encrypted, and the server is verified"];
  const what = tls.mode === "prefer" ? "encrypted where the server can" : "encrypted";
  const sentTo =
    tls.mode === "verify-ca" ? "to any host that the authority signed" : "to any server";
  return ["ok", `${what}, ${sentTo}: sslmode=verify-full makes sure`];
}

async function identify(database: Database): Promise<{ version: string; user: string }> {
  const [row] = await database.run(
    async ({ sql }) =>
      await sql<{ version: string; user: string }>`
      SELECT current_setting('server_version') AS version, current_user AS user`,
  );
  return row ?? { version: "0", user: "nobody" };
}

async function clockOf(database: Database): Promise<number> {
  const [row] = await database.run(
    async ({ sql }) =>
      await sql<{ ms: string }>`
      SELECT extract(epoch FROM clock_timestamp()) * 1000 AS ms`,
  );
  return Number(row?.ms);
}
