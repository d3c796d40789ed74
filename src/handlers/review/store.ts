import { and, desc, eq, lt, type SQL, sql } from "drizzle-orm";
import { BusError } from "../../errors.ts";
import type { Database } from "../../postgres/client.ts";
import { columnNames, isoTime, jsonOf } from "../../postgres/columns.ts";
import { agentLessons, reviewEntries, reviewEvents } from "../../schema/tables.ts";
import type { Advanced, Case, ReviewEntry, SkillDraft } from "./entry.ts";
import type { ReviewedLesson } from "./lesson.ts";
import type { Stage } from "./stages.ts";

export interface NewEntry {
  readonly entryId: string;
  readonly tenantId: string;
  readonly feedbackId: string;
  readonly summary: string | null;
  readonly runId: string | null;
  /** What the service knows of the run; null: nothing. */
  readonly caseDraft?: Case | null;
}

/** Without a tenant: that of any, where no two have it. */
export interface EntryKey {
  readonly entryId: string;
  readonly tenantId?: string;
}

/** A step as it is kept, also when its entry is removed. */
export interface ReviewStep {
  readonly step: number;
  readonly what: "created" | "advanced" | "removed";
  readonly fromStage: Stage | null;
  readonly toStage: Stage | null;
  readonly who: string | null;
  readonly reason: string | null;
  readonly caseDraft: Case | null;
  readonly skillDraft: SkillDraft | null;
  /** ISO 8601 with microseconds; no other step of any entry has it. */
  readonly at: string;
}

export interface EntryFilter {
  readonly tenantId?: string;
  readonly stage?: Stage;
}

/** The tables of reviews. Every method rejects as `Database.run` does. */
export interface Reviews {
  /** Null: there is one of that id, or was. */
  create(entry: NewEntry): Promise<ReviewEntry | null>;
  /** Null: another step was taken since `entry` was read, or it was removed; nothing is written. */
  advance(
    entry: ReviewEntry,
    after: Advanced,
    lesson: ReviewedLesson | null,
  ): Promise<ReviewEntry | null>;
  /** Null: there is none. Rejects with `bad_request` where several tenants have one and none is named. */
  find(key: EntryKey): Promise<ReviewEntry | null>;
  /** Of an entry, the first one first. */
  steps(entry: Required<EntryKey>): Promise<ReviewStep[]>;
  /** The last changed first; `before` is the `updatedAt` of the last one seen. */
  list(filter: EntryFilter, before: string | null, limit: number): Promise<ReviewEntry[]>;
  /** False: there is none any more. */
  remove(entry: Required<EntryKey>, by: string, reason: string): Promise<boolean>;
  countByStage(tenantId?: string): Promise<Record<string, number>>;
}

const entryFields = {
  entryId: reviewEntries.entryId,
  tenantId: reviewEntries.tenantId,
  feedbackId: reviewEntries.feedbackId,
  stage: sql<Stage>`${reviewEntries.stage}`,
  summary: reviewEntries.summary,
  runId: reviewEntries.runId,
  caseDraft: sql<Case | null>`${reviewEntries.caseDraft}`,
  skillDraft: sql<SkillDraft | null>`${reviewEntries.skillDraft}`,
  reviewer: reviewEntries.reviewer,
  lessonKey: reviewEntries.lessonKey,
  steps: reviewEntries.steps,
  createdAt: isoTime(reviewEntries.createdAt),
  updatedAt: isoTime(reviewEntries.updatedAt),
};

const stepFields = {
  step: reviewEvents.step,
  what: sql<ReviewStep["what"]>`${reviewEvents.what}`,
  fromStage: sql<Stage | null>`${reviewEvents.fromStage}`,
  toStage: sql<Stage | null>`${reviewEvents.toStage}`,
  who: reviewEvents.who,
  reason: reviewEvents.reason,
  caseDraft: sql<Case | null>`${reviewEvents.caseDraft}`,
  skillDraft: sql<SkillDraft | null>`${reviewEvents.skillDraft}`,
  at: isoTime(reviewEvents.at),
};

const stepColumns = columnNames(
  ...[reviewEvents.entryId, reviewEvents.step, reviewEvents.tenantId, reviewEvents.what],
  ...[reviewEvents.fromStage, reviewEvents.toStage, reviewEvents.who, reviewEvents.reason],
  ...[reviewEvents.caseDraft, reviewEvents.skillDraft, reviewEvents.at],
);

const { entryId, tenantId: tenant, stage, caseDraft, skillDraft, steps, updatedAt } = reviewEntries;

/** The database stays its opener's to close. */
export function openReviews(database: Database): Reviews {
  async function find({ entryId: id, tenantId }: EntryKey): Promise<ReviewEntry | null> {
    const [found, other] = await database.run(async ({ db }) =>
      db
        .select(entryFields)
        .from(reviewEntries)
        .where(and(eq(entryId, id), tenantId === undefined ? undefined : eq(tenant, tenantId)))
        .limit(2),
    );
    if (other === undefined) return found ?? null;
    throw new BusError("bad_request", `tenant_id: several tenants have an entry ${id}`);
  }

  /** The new `updatedAt`; null where the statement wrote nothing. */
  async function written(statement: SQL): Promise<string | null> {
    const [row] = await database.run(async ({ db }) =>
      db.execute<{ updatedAt: string }>(statement),
    );
    return row?.updatedAt ?? null;
  }

  return {
    find,

    async create(entry) {
      const at = await written(creation(entry));
      if (at === null) return null;
      const { caseDraft = null } = entry;
      const rest = { caseDraft, skillDraft: null, reviewer: null, lessonKey: null };
      return { ...entry, ...rest, stage: "feedback", steps: 1, createdAt: at, updatedAt: at };
    },

    async advance(entry, after, lesson) {
      const at = await written(advancement(entry, after, lesson));
      if (at === null) return null;
      const lessonKey = lesson?.lessonKey ?? entry.lessonKey;
      return { ...entry, ...after, lessonKey, steps: entry.steps + 1, updatedAt: at };
    },

    steps: ({ entryId: id, tenantId }) =>
      database.run(async ({ db }) =>
        db
          .select(stepFields)
          .from(reviewEvents)
          .where(and(eq(reviewEvents.tenantId, tenantId), eq(reviewEvents.entryId, id)))
          .orderBy(reviewEvents.step),
      ),

    list: (filter, before, limit) =>
      database.run(async ({ db }) =>
        db
          .select(entryFields)
          .from(reviewEntries)
          .where(
            and(
              filter.tenantId === undefined ? undefined : eq(tenant, filter.tenantId),
              filter.stage === undefined ? undefined : eq(stage, filter.stage),
              before === null ? undefined : lt(updatedAt, before),
            ),
          )
          .orderBy(desc(updatedAt))
          .limit(limit),
      ),

    async remove(entry, by, reason) {
      return (await written(removal(entry, by, reason))) !== null;
    },

    async countByStage(tenantId) {
      const rows = await database.run(async ({ db }) =>
        db
          .select({ stage, entries: sql<number>`count(*)::int` })
          .from(reviewEntries)
          .where(tenantId === undefined ? undefined : eq(tenant, tenantId))
          .groupBy(stage),
      );
      return Object.fromEntries(rows.map((row) => [row.stage, row.entries]));
    },
  };
}

/** An id whose entry was removed is not used again: its history would be two entries'. */
function creation(entry: NewEntry): SQL {
  const columns = columnNames(
    ...[entryId, tenant, reviewEntries.feedbackId, stage, reviewEntries.summary],
    ...[reviewEntries.runId, steps, caseDraft],
  );
  return sql`
    WITH made AS (
      INSERT INTO ${reviewEntries} (${columns})
      SELECT ${entry.entryId}::text, ${entry.tenantId}::text, ${entry.feedbackId}::text, 'feedback',
        ${entry.summary}::text, ${entry.runId}::text, 1, ${jsonOf(entry.caseDraft ?? null)}
      WHERE NOT EXISTS (
        SELECT FROM ${reviewEvents} WHERE ${reviewEvents.tenantId} = ${entry.tenantId}::text
          AND ${reviewEvents.entryId} = ${entry.entryId}::text)
      ON CONFLICT DO NOTHING
      RETURNING ${columnNames(entryId, tenant, updatedAt, caseDraft)}
    ), noted AS (
      INSERT INTO ${reviewEvents} (${stepColumns})
      SELECT ${columnNames(entryId)}, 1, ${columnNames(tenant)}, 'created', NULL, 'feedback',
        NULL, NULL, ${columnNames(caseDraft)}, NULL, ${columnNames(updatedAt)} FROM made
    )
    SELECT ${isoTime(sql`${columnNames(updatedAt)}`)} AS "updatedAt" FROM made`;
}

/** One statement: the step, its record and the lesson are all there, or none is. */
function advancement(entry: ReviewEntry, after: Advanced, lesson: ReviewedLesson | null): SQL {
  const key = lesson?.lessonKey ?? entry.lessonKey;
  const set = sql`${columnNames(stage)} = ${after.stage}::text,
    ${columnNames(caseDraft)} = ${jsonOf(after.caseDraft)},
    ${columnNames(skillDraft)} = ${jsonOf(after.skillDraft)},
    ${columnNames(reviewEntries.reviewer)} = ${after.reviewer}::text,
    ${columnNames(reviewEntries.lessonKey)} = ${key}::text,
    ${columnNames(steps)} = ${entry.steps + 1}::int`;
  return sql`
    WITH updated AS (
      UPDATE ${reviewEntries} SET ${set}
      WHERE ${isEntry(entry)} AND ${steps} = ${entry.steps}::int
      RETURNING ${columnNames(entryId, tenant, stage, caseDraft, skillDraft, steps, updatedAt)}
    ), noted AS (
      INSERT INTO ${reviewEvents} (${stepColumns})
      SELECT ${columnNames(entryId, steps, tenant)}, 'advanced', ${entry.stage}::text,
        ${columnNames(stage)}, ${after.reviewer}::text, NULL,
        ${columnNames(caseDraft, skillDraft, updatedAt)} FROM updated
    )${lesson === null ? sql`` : sql`, ${learned(lesson)}`}
    SELECT ${isoTime(sql`${columnNames(updatedAt)}`)} AS "updatedAt" FROM updated`;
}

function learned(lesson: ReviewedLesson): SQL {
  const of = agentLessons;
  const columns = columnNames(
    ...[of.lessonKey, of.tenantId, of.scope, of.agentId, of.taskType, of.lessonType],
    ...[of.trigger, of.action, of.avoid, of.signals, of.evidence, of.raw],
  );
  const texts = [
    ...[lesson.lessonKey, lesson.tenantId, lesson.scope, lesson.agentId, lesson.taskType],
    ...[lesson.lessonType, lesson.trigger, lesson.action, lesson.avoid],
  ].map((text) => sql`${text}::text`);
  const documents = [lesson.signals, lesson.evidence, lesson.raw].map(jsonOf);
  return sql`learned AS (
      INSERT INTO ${of} (${columns})
      SELECT ${sql.join([...texts, ...documents], sql`, `)} FROM updated
    )`;
}

const isEntry = ({ entryId: id, tenantId }: Required<EntryKey>) =>
  sql`${tenant} = ${tenantId}::text AND ${entryId} = ${id}::text`;

function removal(entry: Required<EntryKey>, by: string, reason: string): SQL {
  return sql`
    WITH removed AS (
      DELETE FROM ${reviewEntries} WHERE ${isEntry(entry)}
      RETURNING ${columnNames(entryId, tenant, stage, caseDraft, skillDraft, steps, updatedAt)}
    ), noted AS (
      INSERT INTO ${reviewEvents} (${stepColumns})
      SELECT ${columnNames(entryId)}, ${columnNames(steps)} + 1, ${columnNames(tenant)}, 'removed',
        ${columnNames(stage)}, NULL, ${by}::text, ${reason}::text,
        ${columnNames(caseDraft, skillDraft)}, review_tick() FROM removed
    )
    SELECT ${isoTime(sql`${columnNames(updatedAt)}`)} AS "updatedAt" FROM removed`;
}
