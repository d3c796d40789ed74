import type { Database } from "../../postgres/client.ts";
import { eachPage } from "../../postgres/pages.ts";
import { createRoot, type Root } from "./root.ts";

/** Rows at a time. */
const page = 2_000;
/** Of people's making, in a review, and not of the stream's. */
export const reviewedType = "reviewed";

/** What a row says about itself. */
export interface LessonFacts {
  readonly lesson_key: string;
  readonly tenant_id: string;
  readonly scope: string;
  readonly agent_id: string;
  readonly task_type: string;
  readonly lesson_type: string;
  readonly signals: Record<string, string>;
  readonly rule_version: number;
  readonly evidence: EvidenceFacts;
  /** When the row was stored, epoch ms. */
  readonly stored_at: number;
}

export interface EvidenceFacts {
  readonly count?: number;
  readonly threshold?: number;
  readonly window_seconds?: number;
  readonly first_ts?: string;
  readonly last_ts?: string;
  readonly event_ids?: readonly string[];
  readonly run_ids?: readonly string[];
}

export interface SightingFacts {
  readonly lesson_key: string;
  /** Epoch ms in decimal, as precise as PostgreSQL keeps it. */
  readonly window_start: string;
  readonly evidence: EvidenceFacts;
  /** When the row was stored, epoch ms. */
  readonly stored_at: number;
}

export type StoredRow =
  | { readonly kind: "lesson"; readonly row: LessonFacts }
  | { readonly kind: "sighting"; readonly row: SightingFacts };

export interface LearnedTables {
  /** Of all tenants where none is named. */
  root(tenantId?: string): Promise<Root & { readonly reviewed: number }>;
  /**
   * All lessons ascending by key, then all sightings ascending by key and window, as of one moment; `begun` is
   * awaited after that moment and before the first row.
   */
  each(begun: () => Promise<void>, take: (row: StoredRow) => void): Promise<void>;
  /** Keys of lessons that people have erased. */
  erased(): Promise<ReadonlySet<string>>;
}

/** The database stays its opener's to close. Every method rejects as `Database.run` does. */
export function openLearnedTables(database: Database, deadlineMs: number): LearnedTables {
  return {
    async root(tenantId = undefined) {
      const root = createRoot();
      let reviewed = 0;
      await database.run(
        async ({ sql }) => {
          type Learned = { what: number; key: string; start: string };
          // Of one tenant by the index of its lessons: the sightings of everybody are not read for it.
          const statement =
            tenantId === undefined
              ? sql<Learned>`
                SELECT * FROM (
                  SELECT CASE WHEN lesson_type = ${reviewedType} THEN 2 ELSE 0 END AS what,
                    lesson_key AS key, NULL AS start, NULL::timestamptz AS at FROM agent_lessons
                  UNION ALL
                  SELECT 1, lesson_key, trim_scale(extract(epoch FROM window_start) * 1000)::text, window_start
                  FROM lesson_sightings
                ) AS learned ORDER BY what, key COLLATE "C", at`
              : sql<Learned>`
                SELECT * FROM (
                  SELECT CASE WHEN lesson_type = ${reviewedType} THEN 2 ELSE 0 END AS what,
                    lesson_key AS key, NULL AS start, NULL::timestamptz AS at FROM agent_lessons
                  WHERE tenant_id = ${tenantId}
                  UNION ALL
                  SELECT 1, lesson_key, trim_scale(extract(epoch FROM window_start) * 1000)::text, window_start
                  FROM agent_lessons JOIN lesson_sightings USING (lesson_key) WHERE tenant_id = ${tenantId}
                ) AS learned ORDER BY what, key COLLATE "C", at`;
          await eachPage(statement, page, (rows) => {
            for (const { what, key, start } of rows) {
              if (what === 0) root.lesson(key);
              else if (what === 1) root.sighting(key, start);
              else reviewed += 1;
            }
          });
        },
        { deadlineMs },
      );
      return { ...root.finish(), reviewed };
    },

    async erased() {
      const rows = await database.run(
        async ({ sql }) => sql<{ lesson_key: string }>`SELECT lesson_key FROM lesson_erasures`,
      );
      return new Set(rows.map(({ lesson_key }) => lesson_key));
    },

    async each(begun, take) {
      await database.run(
        async ({ sql }) => {
          const statement = sql<StoredRow>`
            SELECT * FROM (
              SELECT 'lesson' AS kind, lesson_key AS key, NULL::timestamptz AS at, jsonb_build_object(
                'lesson_key', lesson_key, 'tenant_id', tenant_id, 'scope', scope, 'agent_id', agent_id,
                'task_type', task_type, 'lesson_type', lesson_type, 'signals', signals,
                'rule_version', raw->'rule_version', 'evidence', evidence,
                'stored_at', extract(epoch FROM ts) * 1000) AS row
              FROM agent_lessons
              UNION ALL
              SELECT 'sighting', lesson_key, window_start, jsonb_build_object(
                'lesson_key', lesson_key, 'evidence', evidence,
                'stored_at', extract(epoch FROM ts) * 1000,
                'window_start', trim_scale(extract(epoch FROM window_start) * 1000)::text)
              FROM lesson_sightings
            ) AS learned ORDER BY kind, key COLLATE "C", at`;
          let isFirst = true;
          await eachPage(statement, page, async (rows) => {
            if (isFirst) await begun();
            isFirst = false;
            for (const row of rows) take(row);
          });
        },
        { deadlineMs },
      );
    },
  };
}
