import { type SQL, sql } from "drizzle-orm";
import { alias, type PgColumn } from "drizzle-orm/pg-core";
import type { Database } from "../../postgres/client.ts";
import {
  areAlike,
  columnNames,
  columnsOf,
  epochTime,
  type Given,
  type GivenFields,
  givenRows,
  namesIn,
  takenFrom,
} from "../../postgres/columns.ts";
import { preparedRows } from "../../postgres/rows.ts";
import {
  lessonRanks,
  runWindows,
  signatureWindows,
  wideEvidence,
  windowMarks,
} from "../../schema/tables.ts";
import type { Counted } from "./count.ts";

/** A window with events that are not counted yet. */
export interface DueWindow {
  /** Epoch ms. */
  readonly start: number;
  readonly touches: number;
}

export interface WindowStore {
  /** Notes that these windows (starts, epoch ms), and those that they may tell the recovery of, have new events. */
  touch(starts: readonly number[]): Promise<void>;
  /** Windows that are over, the time for recovery included, and have events not counted yet; oldest first. */
  due(limit: number): Promise<DueWindow[]>;
  countDue(): Promise<number>;
  /** Replaces what is stored of these windows. */
  replace(windows: readonly DueWindow[], counted: Counted): Promise<void>;
  /** Ranks lessons whose windows have changed since, see `lesson_ranks`; resolves to how many were to be ranked. */
  rank(limit: number): Promise<number>;
  /** Forgets what is older than that; resolves to the number of rows. */
  removeBefore(days: number, slowDays: number): Promise<number>;
}

/** For what touches all rows of some windows, or many lessons. */
const longDeadlineMs = 60_000;

/** `windowMs` and `recoveryMs` as the settings have them. The database stays its opener's to close. */
export function openWindowStore(
  database: Database,
  { windowMs, recoveryMs }: { readonly windowMs: number; readonly recoveryMs: number },
): WindowStore {
  const openMs = windowMs + recoveryMs;
  const patient = { deadlineMs: longDeadlineMs };
  const touch = preparedRows(database, touching());
  const due = preparedRows<DueWindow>(database, listingDue());
  const countDue = preparedRows<{ due: number }>(database, countingDue());
  const replace = preparedRows(database, replacing(), patient);
  const rank = preparedRows<{ due: number }>(database, ranking(), patient);
  const remove = preparedRows<{ rows: number }>(database, removing());
  return {
    async touch(starts) {
      if (starts.length > 0) await touch({ starts: JSON.stringify(starts), openMs });
    },
    due: (limit) => due({ openMs, limit }),
    async countDue() {
      const [row] = await countDue({ openMs });
      return row?.due ?? 0;
    },
    async replace(windows, counted) {
      await replace(givenOf(windows, counted));
    },
    async rank(limit) {
      const [row] = await rank({ limit });
      return row?.due ?? 0;
    },
    async removeBefore(days, slowDays) {
      const [removed] = await remove({ days, slowDays });
      return removed?.rows ?? 0;
    },
  };
}

const marks = windowMarks;
const mark = alias(marks, "mark");

/** How long after its start a window is open: its length and the time for recovery. */
const open = sql`${sql.placeholder("openMs")}::float8 * interval '1 millisecond'`;

const isDue = sql`${marks.touches} > ${marks.counted} AND ${marks.windowStart} <= now() - ${open}`;

function listingDue(): SQL {
  return sql`
    SELECT round(extract(epoch FROM ${marks.windowStart}) * 1000)::float8 AS start,
      ${marks.touches}::float8 AS touches
    FROM ${marks} WHERE ${isDue} ORDER BY ${marks.windowStart} LIMIT ${sql.placeholder("limit")}`;
}

function countingDue(): SQL {
  return sql`SELECT count(*)::int AS due FROM ${marks} WHERE ${isDue}`;
}

/** A window that is given already gets its touch as one of those, so it is left out of the earlier ones. */
function touching(): SQL {
  const [start, touches] = [columnNames(marks.windowStart), columnNames(marks.touches)];
  const given = namesIn("given", marks.windowStart);
  return sql`
    WITH given AS (
      SELECT to_timestamp(value::float8 / 1000) AS ${start}
      FROM jsonb_array_elements_text(${sql.placeholder("starts")}::text::jsonb)
    ), earlier AS (
      UPDATE ${marks} AS mark SET ${touches} = ${mark.touches} + 1
      WHERE ${mark.windowStart} NOT IN (SELECT ${given} FROM given) AND EXISTS (
        SELECT FROM given WHERE ${mark.windowStart} < ${given} AND ${mark.windowStart} > ${given} - ${open})
    )
    INSERT INTO ${marks} (${start}, ${touches})
    SELECT ${start}, 1 FROM given ORDER BY ${start}
    ON CONFLICT (${start}) DO UPDATE SET ${touches} = ${marks.touches} + 1`;
}

const windowFields = { start: epochTime(marks.windowStart), touches: marks.touches };

const signatureKey = {
  lessonKey: signatureWindows.lessonKey,
  windowStart: epochTime(signatureWindows.windowStart),
};
const signatureCounts = {
  events: signatureWindows.events,
  runHashes: signatureWindows.runHashes,
  singleEvents: signatureWindows.singleEvents,
  runsSeen: signatureWindows.runsSeen,
  agents: signatureWindows.agents,
  runsRecovered: signatureWindows.runsRecovered,
  between: signatureWindows.between,
  unchangedRetries: signatureWindows.unchangedRetries,
  nextSteps: signatureWindows.nextSteps,
  nextWorked: signatureWindows.nextWorked,
  firstAt: epochTime(signatureWindows.firstAt),
  lastAt: epochTime(signatureWindows.lastAt),
};
const signatureFields = { ...signatureKey, ...signatureCounts };

const runKey = {
  tenantId: runWindows.tenantId,
  agentId: runWindows.agentId,
  taskType: runWindows.taskType,
  windowStart: epochTime(runWindows.windowStart),
};
const runCounts = { runHashes: runWindows.runHashes, singleEvents: runWindows.singleEvents };
const runFields = { ...runKey, ...runCounts };

function givenOf(windows: readonly DueWindow[], { signatures, runs }: Counted) {
  return {
    windows: JSON.stringify(windows satisfies readonly Given<typeof windowFields>[]),
    signatures: JSON.stringify(signatures satisfies readonly Given<typeof signatureFields>[]),
    runs: JSON.stringify(runs satisfies readonly Given<typeof runFields>[]),
  };
}

/** One statement: a window has all of its new counts and is marked as counted, or none of it. */
function replacing(): SQL {
  return sql`
    WITH given AS ${givenRows(sql.placeholder("windows"), windowFields)},
    signatures AS ${givenRows(sql.placeholder("signatures"), signatureFields)},
    runs AS ${givenRows(sql.placeholder("runs"), runFields)},
    gone AS (${removingOthers(signatureWindows, signatureKey, "signatures")}),
    left_over AS (${removingOthers(runWindows, runKey, "runs")}),
    written AS (${upserting(signatureWindows, signatureKey, signatureCounts, "signatures")}),
    seen AS (${upserting(runWindows, runKey, runCounts, "runs")})
    UPDATE ${marks} AS mark
    SET ${columnNames(marks.counted)} = greatest(${mark.counted}, ${namesIn("given", marks.touches)})
    FROM given WHERE ${areAlike("mark", "given", marks.windowStart)}`;
}

type CountTable = typeof signatureWindows | typeof runWindows;

/** Of the windows that are `given`, the rows that are not among the new ones. */
function removingOthers(of: CountTable, key: GivenFields, rows: string): SQL {
  const start = namesIn("given", marks.windowStart);
  return sql`
    DELETE FROM ${of} AS kept USING given
    WHERE ${namesIn("kept", of.windowStart)} = ${start} AND NOT EXISTS (
      SELECT FROM ${sql.identifier(rows)} WHERE ${areAlike(rows, "kept", ...columnsOf(key))})`;
}

/** What is counted again takes the place of what was counted. */
function upserting(of: CountTable, key: GivenFields, counts: GivenFields, rows: string): SQL {
  const keyNames = columnNames(...columnsOf(key));
  const names = columnNames(...columnsOf({ ...key, ...counts }));
  return sql`
    INSERT INTO ${of} (${names})
    SELECT ${names} FROM ${sql.identifier(rows)} ORDER BY ${keyNames}
    ON CONFLICT (${keyNames}) DO UPDATE
    SET ${takenFrom("excluded", ...columnsOf(counts))}, ${columnNames(of.countedAt)} = now()`;
}

/** All of it sees the same moment, and who was touched since then stays to be ranked. */
function ranking(): SQL {
  const of = lessonRanks;
  const [due, one] = [alias(of, "due"), alias(signatureWindows, "one")];
  const [counted, ranked] = [columnNames(of.counted), columnNames(of.ranked)];
  return sql`
    WITH due AS (
      SELECT ${of.lessonKey}, ${of.touches} FROM ${of}
      WHERE ${of.touches} > ${of.ranked} AND ${of.tenantId} IS NOT NULL LIMIT ${sql.placeholder("limit")}
    ), sums AS (
      SELECT ${due.lessonKey}, ${due.touches}, CASE WHEN windows.number > 0
        THEN least(windows.single + hashes.number, 2147483647)::int END AS runs
      FROM due CROSS JOIN LATERAL (
        SELECT count(*) AS number, coalesce(sum(${one.singleEvents}), 0) AS single
        FROM ${signatureWindows} AS one WHERE ${one.lessonKey} = ${due.lessonKey}
      ) AS windows CROSS JOIN LATERAL (
        SELECT count(DISTINCT hash) AS number
        FROM ${signatureWindows} AS one, unnest(${one.runHashes}) AS hash
        WHERE ${one.lessonKey} = ${due.lessonKey}
      ) AS hashes
    ), written AS (
      UPDATE ${of} AS known SET ${counted} = sums.runs, ${ranked} = ${namesIn("sums", of.touches)}
      FROM sums WHERE ${areAlike("known", "sums", of.lessonKey, of.touches)}
    )
    SELECT count(*)::int AS due FROM due`;
}

function removing(): SQL {
  const [known, one] = [alias(lessonRanks, "known"), alias(signatureWindows, "one")];
  const daysOf = (name: string) => sql`${sql.placeholder(name)}::float8 * interval '1 day'`;
  const isOld = (at: PgColumn) => sql`${at} < now() - ${daysOf("days")}`;
  return sql`
    WITH counted AS (
      DELETE FROM ${signatureWindows} WHERE ${isOld(signatureWindows.countedAt)} RETURNING 1
    ), seen AS (
      DELETE FROM ${runWindows} WHERE ${isOld(runWindows.countedAt)} RETURNING 1
    ), wide AS (
      DELETE FROM ${wideEvidence} WHERE ${wideEvidence.updatedAt} < now() - 2 * ${daysOf("slowDays")} RETURNING 1
    ), forgotten AS (
      DELETE FROM ${lessonRanks} AS known WHERE ${known.tenantId} IS NULL AND NOT EXISTS (
        SELECT FROM ${signatureWindows} AS one WHERE ${one.lessonKey} = ${known.lessonKey})
    )
    SELECT ((SELECT count(*) FROM counted) + (SELECT count(*) FROM seen)
      + (SELECT count(*) FROM wide))::int AS rows`;
}
