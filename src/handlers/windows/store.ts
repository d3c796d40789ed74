import type { Database } from "../../postgres/client.ts";
import type { Evidence } from "../extractor/evidence.ts";
import type { Counted } from "./count.ts";

/** With the token of compare-and-set; version 0: there is none. */
export interface Versioned<T> {
  readonly value: T;
  readonly version: number;
}

/** Evidence of a short window that proves its lesson has, beside what proves it, what had worked by then. */
export interface WideEvidence extends Evidence {
  readonly worked?: readonly string[];
}

export interface WideStore {
  read(keys: readonly string[]): Promise<ReadonlyMap<string, Versioned<WideEvidence>>>;
  /** Writes those whose version is still the given one; resolves to how many. */
  write(
    documents: readonly {
      readonly key: string;
      readonly value: WideEvidence;
      readonly version: number;
    }[],
  ): Promise<number>;
}

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

/** The database stays its opener's to close. Every method rejects as `Database.run` does. */
export function openWideStore(database: Database): WideStore {
  return {
    async read(keys) {
      const rows = await database.run(
        async ({ sql }) => sql<{ key: string; evidence: WideEvidence; version: number }>`
          SELECT evidence_key AS key, evidence, version::float8 AS version FROM wide_evidence
          WHERE evidence_key = ANY (ARRAY(
            SELECT jsonb_array_elements_text(${JSON.stringify(keys)}::text::jsonb)))`,
      );
      return new Map(rows.map(({ key, evidence, version }) => [key, { value: evidence, version }]));
    },

    async write(documents) {
      if (documents.length === 0) return 0;
      const rows = await database.run(
        async ({ sql }) => sql`
          INSERT INTO wide_evidence AS kept (evidence_key, evidence, version)
          SELECT key, value, version + 1
          FROM jsonb_to_recordset(${JSON.stringify(documents)}::text::jsonb)
            AS given (key text, value jsonb, version bigint)
          ORDER BY key
          ON CONFLICT (evidence_key) DO UPDATE
          SET evidence = excluded.evidence, version = excluded.version, updated_at = now()
          WHERE kept.version = excluded.version - 1
          RETURNING 1`,
      );
      return rows.length;
    },
  };
}

/** `windowMs` and `recoveryMs` as the settings have them. */
export function openWindowStore(
  database: Database,
  { windowMs, recoveryMs }: { readonly windowMs: number; readonly recoveryMs: number },
): WindowStore {
  return {
    async touch(starts) {
      if (starts.length === 0) return;
      await database.run(
        async ({ sql }) => sql`
          WITH given AS (
            SELECT to_timestamp(value::float8 / 1000) AS window_start
            FROM jsonb_array_elements_text(${JSON.stringify(starts)}::text::jsonb)
          ), earlier AS (
            UPDATE window_marks AS mark SET touches = touches + 1
            WHERE window_start NOT IN (SELECT window_start FROM given) AND EXISTS (
              SELECT FROM given WHERE mark.window_start < given.window_start
              AND mark.window_start > given.window_start
                - ${windowMs + recoveryMs}::float8 * interval '1 millisecond')
          )
          INSERT INTO window_marks (window_start, touches)
          SELECT window_start, 1 FROM given ORDER BY window_start
          ON CONFLICT (window_start) DO UPDATE SET touches = window_marks.touches + 1`,
      );
    },

    async due(limit) {
      return await database.run(
        async ({ sql }) => sql<DueWindow>`
          SELECT round(extract(epoch FROM window_start) * 1000)::float8 AS start,
            touches::float8 AS touches
          FROM window_marks
          WHERE touches > counted AND window_start <= now()
            - ${windowMs + recoveryMs}::float8 * interval '1 millisecond'
          ORDER BY window_start LIMIT ${limit}`,
      );
    },

    async countDue() {
      const [row] = await database.run(
        async ({ sql }) => sql<{ due: number }>`
          SELECT count(*)::int AS due FROM window_marks
          WHERE touches > counted AND window_start <= now()
            - ${windowMs + recoveryMs}::float8 * interval '1 millisecond'`,
      );
      return row?.due ?? 0;
    },

    async replace(windows, { signatures, runs }) {
      await database.run(
        async ({ sql }) => sql`
          WITH given AS (
            SELECT to_timestamp(start / 1000) AS window_start, touches
            FROM jsonb_to_recordset(${JSON.stringify(windows)}::text::jsonb)
              AS given (start float8, touches bigint)
          ), signatures AS (
            SELECT *, to_timestamp("windowStart" / 1000) AS window_start
            FROM jsonb_to_recordset(${JSON.stringify(signatures)}::text::jsonb) AS given
              ("lessonKey" text, "windowStart" float8, events int, "runHashes" bigint[],
               "singleEvents" int, "runsSeen" int, agents int, "runsRecovered" int, "between" jsonb,
               "unchangedRetries" int, "nextSteps" int, "nextWorked" int, "firstAt" float8,
               "lastAt" float8)
          ), runs AS (
            SELECT *, to_timestamp("windowStart" / 1000) AS window_start
            FROM jsonb_to_recordset(${JSON.stringify(runs)}::text::jsonb) AS given
              ("tenantId" text, "agentId" text, "taskType" text, "windowStart" float8,
               "runHashes" bigint[], "singleEvents" int)
          ), gone AS (
            DELETE FROM signature_windows AS kept USING given
            WHERE kept.window_start = given.window_start AND NOT EXISTS (
              SELECT FROM signatures WHERE signatures."lessonKey" = kept.lesson_key
              AND signatures.window_start = kept.window_start)
          ), left_over AS (
            DELETE FROM run_windows AS kept USING given
            WHERE kept.window_start = given.window_start AND NOT EXISTS (
              SELECT FROM runs WHERE runs."tenantId" = kept.tenant_id
              AND runs."agentId" = kept.agent_id AND runs."taskType" = kept.task_type
              AND runs.window_start = kept.window_start)
          ), written AS (
            INSERT INTO signature_windows (lesson_key, window_start, events, run_hashes, single_events,
              runs_seen, agents, runs_recovered, "between", unchanged_retries, next_steps, next_worked, first_at, last_at)
            SELECT "lessonKey", window_start, events, "runHashes", "singleEvents", "runsSeen", agents,
              "runsRecovered", "between", "unchangedRetries", "nextSteps", "nextWorked",
              to_timestamp("firstAt" / 1000), to_timestamp("lastAt" / 1000)
            FROM signatures ORDER BY "lessonKey", window_start
            ON CONFLICT (lesson_key, window_start) DO UPDATE SET events = excluded.events,
              run_hashes = excluded.run_hashes, single_events = excluded.single_events,
              runs_seen = excluded.runs_seen, agents = excluded.agents,
              runs_recovered = excluded.runs_recovered, "between" = excluded."between",
              unchanged_retries = excluded.unchanged_retries, next_steps = excluded.next_steps,
              next_worked = excluded.next_worked, first_at = excluded.first_at,
              last_at = excluded.last_at, counted_at = now()
          ), seen AS (
            INSERT INTO run_windows (tenant_id, agent_id, task_type, window_start, run_hashes, single_events)
            SELECT "tenantId", "agentId", "taskType", window_start, "runHashes", "singleEvents"
            FROM runs ORDER BY "tenantId", "agentId", "taskType", window_start
            ON CONFLICT (tenant_id, agent_id, task_type, window_start) DO UPDATE
            SET run_hashes = excluded.run_hashes, single_events = excluded.single_events,
              counted_at = now()
          )
          UPDATE window_marks AS mark SET counted = greatest(mark.counted, given.touches)
          FROM given WHERE mark.window_start = given.window_start`,
        { deadlineMs: 60_000 },
      );
    },

    async rank(limit) {
      // All of it sees the same moment, and who was touched since then stays to be ranked.
      const [row] = await database.run(
        async ({ sql }) => sql<{ due: number }>`
          WITH due AS (
            SELECT lesson_key, touches FROM lesson_ranks
            WHERE touches > ranked AND tenant_id IS NOT NULL LIMIT ${limit}
          ), counted AS (
            SELECT due.lesson_key, due.touches, CASE WHEN windows.windows > 0
              THEN least(windows.single + hashes.runs, 2147483647)::int END AS runs
            FROM due CROSS JOIN LATERAL (
              SELECT count(*) AS windows, coalesce(sum(single_events), 0) AS single
              FROM signature_windows AS one WHERE one.lesson_key = due.lesson_key
            ) AS windows CROSS JOIN LATERAL (
              SELECT count(DISTINCT hash) AS runs
              FROM signature_windows AS one, unnest(one.run_hashes) AS hash
              WHERE one.lesson_key = due.lesson_key
            ) AS hashes
          ), ranked AS (
            UPDATE lesson_ranks AS known SET counted = counted.runs, ranked = counted.touches
            FROM counted
            WHERE known.lesson_key = counted.lesson_key AND known.touches = counted.touches
          )
          SELECT count(*)::int AS due FROM due`,
        { deadlineMs: 60_000 },
      );
      return row?.due ?? 0;
    },

    async removeBefore(days, slowDays) {
      const [removed] = await database.run(
        async ({ sql }) => sql<{ rows: number }>`
          WITH counted AS (
            DELETE FROM signature_windows WHERE counted_at < now() - ${days}::float8 * interval '1 day'
            RETURNING 1
          ), seen AS (
            DELETE FROM run_windows WHERE counted_at < now() - ${days}::float8 * interval '1 day'
            RETURNING 1
          ), wide AS (
            DELETE FROM wide_evidence WHERE updated_at < now() - 2 * ${slowDays}::float8 * interval '1 day'
            RETURNING 1
          ), forgotten AS (
            DELETE FROM lesson_ranks AS known WHERE tenant_id IS NULL AND NOT EXISTS (
              SELECT FROM signature_windows AS one WHERE one.lesson_key = known.lesson_key)
          )
          SELECT ((SELECT count(*) FROM counted) + (SELECT count(*) FROM seen)
            + (SELECT count(*) FROM wide))::int AS rows`,
      );
      return removed?.rows ?? 0;
    },
  };
}
