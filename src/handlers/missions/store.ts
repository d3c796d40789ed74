import { and, asc, eq, type SQL, sql } from "drizzle-orm";
import { alias } from "drizzle-orm/pg-core";
import type { Database } from "../../postgres/client.ts";
import {
  areAlike,
  columnNames,
  columnsOf,
  epochMs,
  givenRows,
  type JsonRow,
  jsonRow,
  takenFrom,
} from "../../postgres/columns.ts";
import { preparedRows, preparedRowsOf } from "../../postgres/rows.ts";
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
function keyOf(kind: Kind) {
  const { tenantId, userId, recordId } = kinds[kind];
  if (kind !== "records") return { tenantId, userId, recordId };
  return { tenantId, userId, tableName: recordSnapshots.tableName, recordId };
}

/** What changes of its record make of a row. */
function foldedOf(kind: Kind) {
  const { record, fieldMeta, deleted } = kinds[kind];
  if (kind !== "missions") return { record, fieldMeta, deleted };
  const { dueAt, agentId } = missionSnapshots;
  return { record, fieldMeta, deleted, dueAt, agentId };
}

/** The database stays its opener's to close. */
export function openSnapshots(database: Database): Snapshots {
  const rows = preparedRowsOf(database);
  const statements = {
    agents: openKind(database, "agents"),
    missions: openKind(database, "missions"),
    records: openKind(database, "records"),
  };

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
        const found = await statements[kind].read({ keys: JSON.stringify(those.map(toKey)) });
        return found.map(({ row }) => toSnapshot(kind, row));
      }),

    async write(changes) {
      const written = await perKind(changes, async (kind, those) => {
        const given = JSON.stringify(those.map(toGiven));
        const [result] = await statements[kind].write({ changes: given });
        return (result?.written ?? []).flatMap((i) => those[i] ?? []);
      });
      return new Set(written);
    },

    async list(table, { tenantId, userId }, after, limit) {
      const of = kinds[table];
      const found = await database.run(async ({ db }) =>
        db
          .select({
            tenantId: of.tenantId,
            userId: of.userId,
            recordId: of.recordId,
            record: of.record,
            fieldMeta: sql<Record<string, FieldWrite>>`${of.fieldMeta}`,
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

function openKind(database: Database, kind: Kind) {
  return {
    read: preparedRows<{ row: StoredRow }>(database, reading(kind)),
    write: preparedRows<{ written: number[] }>(database, writing(kind)),
  };
}

/** LATERAL with LIMIT is one index lookup for each, whatever the planner thinks of the tables. */
function reading(kind: Kind): SQL {
  const key = keyOf(kind);
  return sql`
    SELECT ${jsonRow(alias(kinds[kind], "stored"))} AS row
    FROM ${givenRows(sql.placeholder("keys"), key)} AS asked
    CROSS JOIN LATERAL (
      SELECT * FROM ${kinds[kind]} AS one WHERE ${areAlike("one", "asked", ...columnsOf(key))} LIMIT 1) AS stored`;
}

/**
 * One statement. Rows are locked, and then inserted, in the order of their keys, so that two replicas wait for each
 * other and never in a circle; the columns of the last SELECT are evaluated from left to right.
 */
function writing(kind: Kind): SQL {
  const of = kinds[kind];
  const stored = alias(of, "stored");
  const [key, folded] = [keyOf(kind), foldedOf(kind)];
  const change = { i: sql`int`, before: sql`bigint`, ...key, ...folded };
  const names = columnNames(...columnsOf(key));
  const made = columnNames(...columnsOf(change));
  const [version, updatedAt] = [columnNames(of.version), columnNames(of.updatedAt)];
  return sql`
    WITH asked AS MATERIALIZED ${givenRows(sql.placeholder("changes"), change)}, locked AS MATERIALIZED (
      SELECT asked.i FROM asked JOIN ${of} AS stored USING (${names})
      WHERE ${stored.version} = asked.before
      ORDER BY ${names} FOR UPDATE OF stored
    ), updated AS (
      UPDATE ${of} AS stored
      SET ${takenFrom("asked", ...columnsOf(folded))}, ${version} = asked.before + 1, ${updatedAt} = clock_timestamp()
      FROM asked JOIN locked USING (i)
      WHERE ${areAlike("stored", "asked", ...columnsOf(key))}
      RETURNING asked.i
    ), inserted AS (
      INSERT INTO ${of} (${made}, ${version})
      SELECT ${made}, 1 FROM asked WHERE before = 0 ORDER BY ${names}
      ON CONFLICT DO NOTHING RETURNING ${names}
    ), made AS (
      SELECT asked.i FROM inserted JOIN asked USING (${names})
    )
    SELECT (SELECT coalesce(jsonb_agg(i), '[]') FROM updated)
      || (SELECT coalesce(jsonb_agg(i), '[]') FROM made) AS written`;
}

function toKey({ tenantId, userId, table, recordId }: RecordKey) {
  return { tenantId, userId, tableName: table, recordId };
}

/** Properties that a kind has no column for are left out by its statement. */
function toGiven(change: SnapshotChange, i: number) {
  const { record, fieldMeta, deleted } = change.after;
  const given = { i, before: change.before, ...toKey(change), record, fieldMeta, deleted };
  return change.table === "missions"
    ? { ...given, ...missionColumns(change.recordId, change.after) }
    : given;
}

/** What the runner looks for, out of a mission's record. */
export function missionColumns(
  missionId: string,
  { record, deleted }: Pick<SnapshotChange["after"], "record" | "deleted">,
) {
  const mission = missionFrom(missionId, record, deleted);
  const due = dueTime(mission);
  return { dueAt: due === null ? null : isoTime(due), agentId: mission.agentId };
}

type StoredRow = Omit<JsonRow<typeof agentSnapshots>, "fieldMeta" | "updatedAt"> & {
  readonly tableName?: string;
  readonly fieldMeta: Record<string, FieldWrite>;
};

function toSnapshot(kind: Kind, row: StoredRow): StoredSnapshot {
  const { tenantId, userId, recordId, record, fieldMeta, deleted, version } = row;
  const table = row.tableName ?? kind;
  return { tenantId, userId, table, recordId, record, fieldMeta, deleted, version };
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
