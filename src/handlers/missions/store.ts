import { and, asc, eq, type SQL, sql } from "drizzle-orm";
import type { Database } from "../../postgres/client.ts";
import { columnNames, epochMs } from "../../postgres/columns.ts";
import { preparedRowsOf } from "../../postgres/rows.ts";
import { firstBy } from "../../runtime/grouping.ts";
import { agentSnapshots, missionSnapshots, recordSnapshots } from "../../schema/tables.ts";
import { type Change, isoTime, type RecordKey, recordKey } from "./change.ts";
import { dueTime, missionFrom } from "./mission.ts";
import {
  changedBy,
  type FieldWrite,
  type SnapshotChange,
  type StoredSnapshot,
} from "./snapshot.ts";

/** The tables of snapshots. Every method rejects as `Database.run` does. */
export interface Snapshots {
  /** Those of these records that have one, in no particular order. */
  read(keys: readonly RecordKey[]): Promise<StoredSnapshot[]>;
  /**
   * Writes each snapshot that is still at the version it was read at. Resolves to those that were written: nothing of
   * the others is.
   */
  write(changes: readonly SnapshotChange[]): Promise<ReadonlySet<SnapshotChange>>;
  /** By user and record id; `after` is of the last one seen. */
  list(
    table: "agents" | "missions",
    filter: { readonly tenantId: string; readonly userId?: string },
    after: readonly [userId: string, recordId: string] | null,
    limit: number,
  ): Promise<ListedSnapshot[]>;
  count(): Promise<{ readonly agents: number; readonly missions: number }>;
}

/** A snapshot, and when it was written last. */
export interface ListedSnapshot extends StoredSnapshot {
  /** Epoch ms. */
  readonly updatedAt: number;
}

const kinds = {
  agents: agentSnapshots,
  missions: missionSnapshots,
  records: recordSnapshots,
} as const;
type Kind = keyof typeof kinds;

function kindOf(table: string): Kind {
  return table === "agents" || table === "missions" ? table : "records";
}

/** What identifies a row, in the order in which rows are locked. */
function keyColumns(kind: Kind): SQL {
  const { tenantId, userId, recordId } = kinds[kind];
  return kind === "records"
    ? columnNames(tenantId, userId, recordSnapshots.tableName, recordId)
    : columnNames(tenantId, userId, recordId);
}

/** The database stays its opener's to close. */
export function openSnapshots(database: Database): Snapshots {
  const rows = preparedRowsOf(database);

  const perKind = async <T extends RecordKey, R>(
    items: readonly T[],
    work: (kind: Kind, those: readonly T[]) => Promise<R[]>,
  ): Promise<R[]> => {
    const found = (Object.keys(kinds) as Kind[]).map(async (kind) => {
      const those = items.filter(({ table }) => kindOf(table) === kind);
      return those.length === 0 ? [] : work(kind, those);
    });
    return (await Promise.all(found)).flat();
  };

  return {
    read: (keys) =>
      perKind(keys, async (kind, those) => {
        const found = await rows<StoredRow>(reading(kind, those));
        return found.map((row) => toSnapshot(kind, row));
      }),

    async write(changes) {
      const written = await perKind(changes, async (kind, those) => {
        const [result] = await rows<{ written: number[] }>(writing(kind, those));
        return (result?.written ?? []).flatMap((i) => those[i] ?? []);
      });
      return new Set(written);
    },

    async list(table, { tenantId, userId }, after, limit) {
      const of = kinds[table];
      const found = await database.run(async ({ db }) =>
        db
          .select({
            tenant_id: of.tenantId,
            user_id: of.userId,
            record_id: of.recordId,
            record: of.record,
            field_meta: sql<Record<string, FieldWrite>>`${of.fieldMeta}`,
            deleted: of.deleted,
            version: of.version,
            updatedAt: epochMs(of.updatedAt),
          })
          .from(of)
          .where(
            and(
              eq(of.tenantId, tenantId),
              userId === undefined ? undefined : eq(of.userId, userId),
              eq(of.deleted, false),
              after === null
                ? undefined
                : sql`(${of.userId}, ${of.recordId}) > (${after[0]}::text, ${after[1]}::text)`,
            ),
          )
          .orderBy(asc(of.userId), asc(of.recordId))
          .limit(limit),
      );
      return found.map(({ updatedAt, ...row }) => ({ ...toSnapshot(table, row), updatedAt }));
    },

    async count() {
      const [found] = await rows<{ agents: number; missions: number }>(sql`
        SELECT (SELECT count(*)::int FROM ${agentSnapshots} WHERE NOT ${agentSnapshots.deleted}) AS agents,
          (SELECT count(*)::int FROM ${missionSnapshots} WHERE NOT ${missionSnapshots.deleted}) AS missions`);
      return found ?? { agents: 0, missions: 0 };
    },
  };
}

/** LATERAL with LIMIT is one index lookup for each, whatever the planner thinks of the tables. */
function reading(kind: Kind, keys: readonly RecordKey[]): SQL {
  const asked = JSON.stringify(keys.map(toKey));
  const isSame = kind === "records" ? sql`AND one.table_name = asked.table_name` : sql``;
  return sql`
    SELECT stored.* FROM jsonb_to_recordset(${asked}::text::jsonb)
      AS asked (tenant_id text, user_id text, table_name text, record_id text)
    CROSS JOIN LATERAL (SELECT * FROM ${kinds[kind]} AS one WHERE one.tenant_id = asked.tenant_id
      AND one.user_id = asked.user_id AND one.record_id = asked.record_id ${isSame} LIMIT 1) AS stored`;
}

/**
 * One statement. Rows are locked, and then inserted, in the order of their keys, so that two replicas wait for each
 * other and never in a circle; the columns of the last SELECT are evaluated from left to right.
 */
function writing(kind: Kind, changes: readonly SnapshotChange[]): SQL {
  const of = kinds[kind];
  const key = keyColumns(kind);
  const own = kind === "missions" ? sql`, due_at, agent_id` : sql``;
  const setOwn =
    kind === "missions" ? sql`, due_at = asked.due_at, agent_id = asked.agent_id` : sql``;
  const asked = JSON.stringify(changes.map(toColumns));
  return sql`
    WITH asked AS MATERIALIZED (
      SELECT * FROM jsonb_to_recordset(${asked}::text::jsonb) AS asked (i int, tenant_id text, user_id text,
        table_name text, record_id text, record jsonb, field_meta jsonb, deleted boolean, before bigint,
        due_at timestamptz, agent_id text)
    ), locked AS MATERIALIZED (
      SELECT asked.i FROM asked JOIN ${of} AS stored USING (${key})
      WHERE stored.version = asked.before
      ORDER BY ${key} FOR UPDATE OF stored
    ), updated AS (
      UPDATE ${of} AS stored SET record = asked.record, field_meta = asked.field_meta,
        deleted = asked.deleted, version = asked.before + 1, updated_at = clock_timestamp() ${setOwn}
      FROM asked JOIN locked USING (i)
      WHERE (${qualified("stored", kind)}) = (${qualified("asked", kind)})
      RETURNING asked.i
    ), inserted AS (
      INSERT INTO ${of} (${key}, record, field_meta, deleted, version ${own})
      SELECT ${key}, record, field_meta, deleted, 1 ${own} FROM asked WHERE before = 0 ORDER BY ${key}
      ON CONFLICT DO NOTHING RETURNING ${key}
    ), made AS (
      SELECT asked.i FROM inserted JOIN asked USING (${key})
    )
    SELECT (SELECT coalesce(jsonb_agg(i), '[]') FROM updated)
      || (SELECT coalesce(jsonb_agg(i), '[]') FROM made) AS written`;
}

function qualified(table: string, kind: Kind): SQL {
  const names = [
    "tenant_id",
    "user_id",
    "record_id",
    ...(kind === "records" ? ["table_name"] : []),
  ];
  return sql.join(
    names.map((name) => sql`${sql.identifier(table)}.${sql.identifier(name)}`),
    sql`, `,
  );
}

function toKey({ tenantId, userId, table, recordId }: RecordKey) {
  return { tenant_id: tenantId, user_id: userId, table_name: table, record_id: recordId };
}

function toColumns(change: SnapshotChange, i: number) {
  const { record, fieldMeta, deleted } = change.after;
  const of = { i, ...toKey(change), record, field_meta: fieldMeta, deleted, before: change.before };
  return change.table === "missions"
    ? { ...of, ...missionColumns(change.recordId, change.after) }
    : of;
}

/** What the runner looks for, out of a mission's record. */
export function missionColumns(
  missionId: string,
  { record, deleted }: Pick<SnapshotChange["after"], "record" | "deleted">,
) {
  const mission = missionFrom(missionId, record, deleted);
  const due = dueTime(mission);
  return { due_at: due === null ? null : isoTime(due), agent_id: mission.agentId };
}

/** A row as the driver reads it. */
type StoredRow = {
  readonly tenant_id: string;
  readonly user_id: string;
  readonly table_name?: string;
  readonly record_id: string;
  readonly record: Record<string, unknown>;
  readonly field_meta: Record<string, FieldWrite>;
  readonly deleted: boolean;
  readonly version: number | string;
};

function toSnapshot(kind: Kind, row: StoredRow): StoredSnapshot {
  return {
    tenantId: row.tenant_id,
    userId: row.user_id,
    table: row.table_name ?? kind,
    recordId: row.record_id,
    record: row.record,
    fieldMeta: row.field_meta,
    deleted: row.deleted,
    // The driver reads a bigint as text.
    version: Number(row.version),
  };
}

/** What became of changes. */
export interface Applied {
  readonly inserted: number;
  readonly updated: number;
  /** Changes that are in what was written. */
  readonly changes: number;
}

/**
 * Resolves once these changes are in the snapshots of their records. It may be called again for the same ones, at any
 * time, by any replica. Where another replica was faster with a record, it reads again what that one has written.
 */
export async function applyChanges(
  changes: readonly Change[],
  snapshots: Pick<Snapshots, "read" | "write">,
): Promise<Applied> {
  const sum = { inserted: 0, updated: 0, changes: 0 };
  let left = changes;
  while (left.length > 0) {
    const wanted = changedBy(left, await snapshots.read(firstBy(left, recordKey)));
    const written = wanted.length > 0 ? await snapshots.write(wanted) : new Set();
    const again: Change[] = [];
    for (const one of wanted) {
      if (!written.has(one)) again.push(...one.changes);
      else {
        sum[one.before === 0 ? "inserted" : "updated"] += 1;
        sum.changes += one.changes.length;
      }
    }
    left = again;
  }
  return sum;
}
