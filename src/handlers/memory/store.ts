import { and, asc, desc, eq, gt, type SQL, sql } from "drizzle-orm";
import type { Database } from "../../postgres/client.ts";
import {
  columnNames,
  columnsOf,
  epochMs,
  type Given,
  givenRows,
  jsonOf,
} from "../../postgres/columns.ts";
import { preparedRows } from "../../postgres/rows.ts";
import { gathered } from "../../runtime/gathered.ts";
import { memoryEntries, memoryFeedback, memoryPromotions } from "../../schema/tables.ts";
import type { MemoryEntry, MemoryKey, NewMemory, Promotion } from "./entry.ts";
import type { PromotionPolicy, Scope } from "./promotion.ts";
import type { Status, Verdict } from "./status.ts";

export interface MemoryFilter {
  readonly tenantId: string;
  readonly scope?: Scope;
  readonly projectKey?: string;
}

/** The tables of memory, for what writes or looks after them. Every method rejects as `Database.run` does. */
export interface Memory {
  /** Null: there is one of that id. */
  save(entry: NewMemory): Promise<MemoryEntry | null>;
  /** `now` is epoch ms by the database's clock. */
  find(key: MemoryKey): Promise<{ readonly entry: MemoryEntry; readonly now: number } | null>;
  verdicts(key: MemoryKey): Promise<Verdict[]>;
  /** False: the entry was changed since it was read, or removed; nothing is written. */
  judge(entry: MemoryEntry, verdict: Verdict, status: Status): Promise<boolean>;
  /** False: the same. */
  promote(entry: MemoryEntry, policy: PromotionPolicy): Promise<boolean>;
  /** By id; `after` is the last one seen. */
  list(filter: MemoryFilter, after: string | null, limit: number): Promise<MemoryEntry[]>;
  /** False: there is none. Its promotions stay. */
  remove(key: MemoryKey): Promise<boolean>;
  /** The newest first; `before` is the id of the last one seen. */
  audit(
    filter: { readonly tenantId: string; readonly entryId?: string },
    before: number | null,
    limit: number,
  ): Promise<Promotion[]>;
  /** By `<scope>` and status as stored. */
  counts(tenantId?: string): Promise<{ scope: Scope; status: Status; entries: number }[]>;
  promotionsByTrigger(tenantId?: string): Promise<Record<string, number>>;
}

const of = memoryEntries;

export const memoryFields = {
  tenantId: of.tenantId,
  entryId: of.entryId,
  scope: sql<Scope>`${of.scope}`,
  projectKey: of.projectKey,
  tags: of.tags,
  insight: of.insight,
  confidence: of.confidence,
  status: sql<Status>`${of.status}`,
  promotionLevel: of.promotionLevel,
  promotionPolicy: sql<PromotionPolicy | null>`${of.promotionPolicy}`,
  evidence: of.evidence,
  unsupportedReason: of.unsupportedReason,
  createdAt: epochMs(of.createdAt),
  lastSeenAt: sql<number | null>`${epochMs(of.lastSeenAt)}`,
  version: of.version,
};

const promotionFields = {
  promotionId: memoryPromotions.promotionId,
  tenantId: memoryPromotions.tenantId,
  entryId: memoryPromotions.entryId,
  level: memoryPromotions.level,
  fromScope: sql<Scope>`${memoryPromotions.fromScope}`,
  toScope: sql<Scope>`${memoryPromotions.toScope}`,
  trigger: memoryPromotions.trigger,
  reviewer: memoryPromotions.reviewer,
  evalCaseId: memoryPromotions.evalCaseId,
  at: epochMs(memoryPromotions.at),
};

const isEntry = ({ tenantId, entryId }: MemoryKey) =>
  and(eq(of.tenantId, tenantId), eq(of.entryId, entryId));

/** The database stays its opener's to close. */
export function openMemory(database: Database): Memory {
  const insert = preparedRows<SavedRow>(database, insertion());

  async function savedOf(entries: readonly NewMemory[]): Promise<(MemoryEntry | null)[]> {
    const given = entries satisfies readonly Given<typeof newFields>[];
    const rows = await insert({ entries: JSON.stringify(given) });
    const createdAt = new Map(rows.map((row) => [keyText(row), row.at]));
    return entries.map((entry) => {
      const key = keyText(entry);
      const at = createdAt.get(key);
      // Of two with one id the first one is there.
      createdAt.delete(key);
      return at === undefined ? null : { ...entry, ...asNew, createdAt: at, lastSeenAt: null };
    });
  }

  async function wrote(statement: SQL): Promise<boolean> {
    const rows = await database.run(async ({ db }) => db.execute(statement));
    return rows.length > 0;
  }

  return {
    save: gathered((entries) => savedOf(entries), { atOnce: 2, mostTogether: 64 }),

    async find(key) {
      const now = epochMs(sql`clock_timestamp()`);
      const [found] = await database.run(async ({ db }) =>
        db
          .select({ ...memoryFields, now })
          .from(of)
          .where(isEntry(key)),
      );
      if (found === undefined) return null;
      const { now: at, ...entry } = found;
      return { entry, now: at };
    },

    verdicts: ({ tenantId, entryId }) =>
      database.run(async ({ db }) =>
        db
          .select({
            feedbackId: memoryFeedback.feedbackId,
            positive: memoryFeedback.positive,
            at: epochMs(memoryFeedback.at),
          })
          .from(memoryFeedback)
          .where(and(eq(memoryFeedback.tenantId, tenantId), eq(memoryFeedback.entryId, entryId))),
      ),

    judge: (entry, verdict, status) => wrote(judgement(entry, verdict, status)),
    promote: (entry, policy) => wrote(promotion(entry, policy)),

    list: ({ tenantId, scope, projectKey }, after, limit) =>
      database.run(async ({ db }) =>
        db
          .select(memoryFields)
          .from(of)
          .where(
            and(
              eq(of.tenantId, tenantId),
              scope === undefined ? undefined : eq(of.scope, scope),
              projectKey === undefined ? undefined : eq(of.projectKey, projectKey),
              after === null ? undefined : gt(of.entryId, after),
            ),
          )
          .orderBy(asc(of.entryId))
          .limit(limit),
      ),

    remove: (key) => wrote(removal(key)),

    audit: ({ tenantId, entryId }, before, limit) =>
      database.run(async ({ db }) =>
        db
          .select(promotionFields)
          .from(memoryPromotions)
          .where(
            and(
              eq(memoryPromotions.tenantId, tenantId),
              entryId === undefined ? undefined : eq(memoryPromotions.entryId, entryId),
              before === null ? undefined : sql`${memoryPromotions.promotionId} < ${before}`,
            ),
          )
          .orderBy(desc(memoryPromotions.promotionId))
          .limit(limit),
      ),

    counts: (tenantId) =>
      database.run(async ({ db }) =>
        db
          .select({
            scope: sql<Scope>`${of.scope}`,
            status: sql<Status>`${of.status}`,
            entries: sql<number>`count(*)::int`,
          })
          .from(of)
          .where(tenantId === undefined ? undefined : eq(of.tenantId, tenantId))
          .groupBy(of.scope, of.status),
      ),

    async promotionsByTrigger(tenantId) {
      const { trigger } = memoryPromotions;
      const rows = await database.run(async ({ db }) =>
        db
          .select({ trigger, promotions: sql<number>`count(*)::int` })
          .from(memoryPromotions)
          .where(tenantId === undefined ? undefined : eq(memoryPromotions.tenantId, tenantId))
          .groupBy(trigger),
      );
      return Object.fromEntries(rows.map((row) => [row.trigger, row.promotions]));
    },
  };
}

const asNew = { status: "provisional", promotionLevel: 0, version: 1 } as const;

interface SavedRow extends MemoryKey {
  /** Epoch ms. */
  readonly at: number;
}

const keyText = ({ tenantId, entryId }: MemoryKey) => JSON.stringify([tenantId, entryId]);

/** What of an entry comes from who saves it. */
const newFields = {
  tenantId: of.tenantId,
  entryId: of.entryId,
  scope: of.scope,
  projectKey: of.projectKey,
  tags: of.tags,
  insight: of.insight,
  confidence: of.confidence,
  promotionPolicy: of.promotionPolicy,
  evidence: of.evidence,
  unsupportedReason: of.unsupportedReason,
};

/** In the order of their keys, so that replicas which save the same ones wait for each other and never in a circle. */
function insertion(): SQL {
  const columns = columnNames(...columnsOf(newFields));
  return sql`
    INSERT INTO ${of} (${columns}, ${columnNames(of.status, of.promotionLevel, of.version)})
    SELECT ${columns}, ${asNew.status}::text, ${asNew.promotionLevel}::int, ${asNew.version}::int
    FROM ${givenRows(sql.placeholder("entries"), newFields, "i")} AS entry
    ORDER BY ${columnNames(of.tenantId, of.entryId)}, i
    ON CONFLICT DO NOTHING
    RETURNING ${of.tenantId} AS "tenantId", ${of.entryId} AS "entryId", ${epochMs(of.createdAt)} AS at`;
}

const isAsRead = ({ tenantId, entryId, version }: MemoryEntry) => sql`
  ${of.tenantId} = ${tenantId}::text AND ${of.entryId} = ${entryId}::text
  AND ${of.version} = ${version}::int`;

/** One statement: the verdict and what it makes of the entry, or neither. */
function judgement(entry: MemoryEntry, { feedbackId, positive, at }: Verdict, status: Status): SQL {
  const time = sql`to_timestamp(${at}::float8 / 1000)`;
  const columns = columnNames(
    ...[memoryFeedback.tenantId, memoryFeedback.entryId, memoryFeedback.feedbackId],
    ...[memoryFeedback.positive, memoryFeedback.at],
  );
  return sql`
    WITH updated AS (
      UPDATE ${of} SET ${columnNames(of.status)} = ${status}::text,
        ${columnNames(of.lastSeenAt)} = ${time}, ${columnNames(of.version)} = ${entry.version + 1}::int
      WHERE ${isAsRead(entry)} RETURNING ${columnNames(of.tenantId, of.entryId)}
    ), noted AS (
      INSERT INTO ${memoryFeedback} (${columns})
      SELECT ${columnNames(of.tenantId, of.entryId)}, ${feedbackId}::text, ${positive}::boolean, ${time}
      FROM updated
    )
    SELECT 1 FROM updated`;
}

/** The same for a promotion and its record. */
function promotion(entry: MemoryEntry, policy: PromotionPolicy): SQL {
  const level = entry.promotionLevel + 1;
  const columns = columnNames(
    ...[memoryPromotions.tenantId, memoryPromotions.entryId, memoryPromotions.level],
    ...[memoryPromotions.fromScope, memoryPromotions.toScope, memoryPromotions.trigger],
    ...[memoryPromotions.reviewer, memoryPromotions.evalCaseId],
  );
  return sql`
    WITH updated AS (
      UPDATE ${of} SET ${columnNames(of.scope)} = ${policy.to_scope}::text,
        ${columnNames(of.promotionLevel)} = ${level}::int,
        ${columnNames(of.promotionPolicy)} = ${jsonOf(policy)},
        ${columnNames(of.version)} = ${entry.version + 1}::int
      WHERE ${isAsRead(entry)} RETURNING ${columnNames(of.tenantId, of.entryId)}
    ), noted AS (
      INSERT INTO ${memoryPromotions} (${columns})
      SELECT ${columnNames(of.tenantId, of.entryId)}, ${level}::int, ${policy.from_scope}::text,
        ${policy.to_scope}::text, ${policy.trigger}::text, ${policy.reviewer ?? null}::text,
        ${policy.eval_case_id ?? null}::text FROM updated
    )
    SELECT 1 FROM updated`;
}

function removal({ tenantId, entryId }: MemoryKey): SQL {
  return sql`
    WITH removed AS (
      DELETE FROM ${of} WHERE ${of.tenantId} = ${tenantId}::text AND ${of.entryId} = ${entryId}::text
      RETURNING 1
    ), forgotten AS (
      DELETE FROM ${memoryFeedback} WHERE ${memoryFeedback.tenantId} = ${tenantId}::text
        AND ${memoryFeedback.entryId} = ${entryId}::text
    )
    SELECT 1 FROM removed`;
}
