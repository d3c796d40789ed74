import type { KeyObject } from "node:crypto";
import { sql } from "drizzle-orm";
import type { Database } from "../../postgres/client.ts";
import { columnNames } from "../../postgres/columns.ts";
import { rowsOf } from "../../postgres/rows.ts";
import { missionDecryptAudit } from "../../schema/tables.ts";
import { isEncrypted } from "./encrypted.ts";
import { type OpenedGrant, openGrant, type SkipReason } from "./grant.ts";
import type { MissionKey } from "./iteration.ts";
import type { MissionMetrics } from "./metrics.ts";
import type { Mission } from "./mission.ts";
import type { ReadRecord } from "./prompt.ts";
import type { Snapshots } from "./store.ts";

type Outcome = "ok" | "failed" | "scope-violation";

interface Attempt {
  readonly table: string;
  readonly id: string;
  readonly field: string;
  readonly outcome: Outcome;
}

/** Reads what a mission reads, decrypted as far as its grant allows. */
export interface Inputs {
  read(of: MissionKey & { readonly iterationId: string }, mission: Mission): Promise<ReadRecord[]>;
}

/** The database stays its opener's to close. */
export function openInputs(options: {
  readonly database: Database;
  readonly snapshots: Pick<Snapshots, "read">;
  /** Null: no grant can be opened. */
  readonly privateKey: KeyObject | null;
  readonly metrics: Pick<MissionMetrics, "decrypts" | "scopeViolations" | "grantSkips">;
}): Inputs {
  const { database, snapshots, privateKey, metrics } = options;
  const labelOf = boundedLabels(mostTables);

  async function note(of: MissionKey & { iterationId: string }, attempts: readonly Attempt[]) {
    for (const { table, outcome } of attempts) {
      if (outcome === "ok") metrics.decrypts.inc({ table: labelOf(table) });
      if (outcome === "scope-violation") metrics.scopeViolations.inc({ table: labelOf(table) });
    }
    if (attempts.length > 0) await audit(database, of, attempts);
  }

  return {
    async read(of, mission) {
      const { tenantId, userId } = of;
      const keys = mission.inputs.map(({ table, id }) => ({
        tenantId,
        userId,
        table,
        recordId: id,
      }));
      const found = keys.length === 0 ? [] : await snapshots.read(keys);
      const records = found
        .filter(({ deleted }) => !deleted)
        .map(({ table, recordId, record }) => ({ table, id: recordId, record }));
      if (!records.some(({ record }) => Object.values(record).some(isEncrypted))) return records;
      const grant = openGrant(mission.grant, privateKey, Date.now());
      if (typeof grant === "string") return skip(grant, records);
      const attempts: Attempt[] = [];
      let read: ReadRecord[];
      try {
        read = records.map((record) => decrypted(record, grant, attempts));
      } finally {
        grant.close();
      }
      // Nothing that was decrypted goes anywhere before it is on record.
      await note(of, attempts);
      return read;
    },
  };

  function skip(reason: SkipReason, records: ReadRecord[]): ReadRecord[] {
    metrics.grantSkips.inc({ reason });
    return records;
  }
}

/** What stays encrypted is left out of the prompt later on. */
function decrypted(one: ReadRecord, grant: OpenedGrant, attempts: Attempt[]): ReadRecord {
  const { table, id } = one;
  const isAllowed = grant.allows(table, id);
  const fields = Object.entries(one.record).map(([field, value]) => {
    if (typeof value !== "string" || !isEncrypted(value)) return [field, value];
    const text = isAllowed ? grant.decrypt(value) : null;
    const refused = isAllowed ? "failed" : "scope-violation";
    attempts.push({ table, id, field, outcome: text === null ? refused : "ok" });
    return [field, text ?? value];
  });
  return { table, id, record: Object.fromEntries(fields) };
}

async function audit(
  database: Database,
  of: MissionKey & { readonly iterationId: string },
  attempts: readonly Attempt[],
): Promise<void> {
  const { tenantId, userId, missionId, iterationId } = of;
  const to = missionDecryptAudit;
  const columns = columnNames(
    ...[to.tenantId, to.userId, to.missionId, to.iterationId],
    ...[to.tableName, to.recordId, to.field, to.outcome],
  );
  await rowsOf(database)(sql`
    INSERT INTO ${to} (${columns})
    SELECT ${tenantId}::text, ${userId}::text, ${missionId}::text, ${iterationId}::text,
      one.table, one.id, one.field, one.outcome
    FROM jsonb_to_recordset(${JSON.stringify(attempts)}::text::jsonb)
      AS one ("table" text, id text, field text, outcome text)`);
}

/** Producers name tables as they like; a time series for each name would fill the memory of Prometheus. */
const mostTables = 100;

function boundedLabels(most: number): (table: string) => string {
  const known = new Set<string>();
  return (table) => {
    if (known.size < most) known.add(table);
    return known.has(table) ? table : "other";
  };
}
