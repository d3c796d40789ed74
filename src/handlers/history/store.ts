import { type SQL, sql } from "drizzle-orm";
import type { PgColumn } from "drizzle-orm/pg-core";
import type { Database } from "../../postgres/client.ts";
import { jsonObject } from "../../postgres/columns.ts";
import { eachPage } from "../../postgres/pages.ts";
import { rowsOf } from "../../postgres/rows.ts";
import { agentLessons, lessonErasures, lessonSightings } from "../../schema/tables.ts";
import { createRoot, type Root, reviewedType } from "./root.ts";

/** Rows at a time. */
const page = 2_000;

/** What a row says about itself. */
export interface LessonFacts {
  readonly lessonKey: string;
  readonly tenantId: string;
  readonly scope: string;
  readonly agentId: string;
  readonly taskType: string;
  readonly lessonType: string;
  readonly signals: Record<string, string>;
  readonly ruleVersion: number;
  readonly evidence: EvidenceFacts;
  /** When the row was stored, epoch ms. */
  readonly storedAt: number;
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
  readonly lessonKey: string;
  /** Epoch ms in decimal, as precise as PostgreSQL keeps it. */
  readonly windowStart: string;
  readonly evidence: EvidenceFacts;
  /** When the row was stored, epoch ms. */
  readonly storedAt: number;
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
  const eachOf = <Row extends object>(
    statement: SQL,
    take: (rows: readonly Row[]) => void | Promise<void>,
  ) => database.run((statements) => eachPage(statements, statement, page, take), { deadlineMs });

  return {
    async root(tenantId = undefined) {
      const root = createRoot();
      let reviewed = 0;
      await eachOf<Learned>(keysOf(tenantId), (rows) => {
        for (const { what, key, start } of rows) {
          if (what === 0) root.lesson(key);
          else if (what === 1) root.sighting(key, start);
          else reviewed += 1;
        }
      });
      return { ...root.finish(), reviewed };
    },

    async erased() {
      const key = lessonErasures.lessonKey;
      const rows = await rowsOf(database)<{ key: string }>(
        sql`SELECT ${key} AS key FROM ${lessonErasures}`,
      );
      return new Set(rows.map(({ key }) => key));
    },

    async each(begun, take) {
      let isFirst = true;
      await eachOf<StoredRow>(facts(), async (rows) => {
        if (isFirst) await begun();
        isFirst = false;
        for (const row of rows) take(row);
      });
    },
  };
}

/** `what`: 0 a lesson, 1 a sighting, 2 a lesson of a review. */
interface Learned {
  readonly what: number;
  readonly key: string;
  /** Of a sighting's window, epoch ms in decimal. */
  readonly start: string;
}

const epochText = (time: PgColumn) => sql`trim_scale(extract(epoch FROM ${time}) * 1000)::text`;
const epoch = (time: PgColumn) => sql`extract(epoch FROM ${time}) * 1000`;

function keysOf(tenantId: string | undefined): SQL {
  const [lesson, sighting] = [agentLessons, lessonSightings];
  const isOfTenant = sql`${lesson.tenantId} = ${tenantId}`;
  // Of one tenant by the index of its lessons: the sightings of everybody are not read for it.
  const ofTenant = {
    lessons: tenantId === undefined ? sql`` : sql`WHERE ${isOfTenant}`,
    sightings:
      tenantId === undefined
        ? sql``
        : sql`JOIN ${lesson} ON ${lesson.lessonKey} = ${sighting.lessonKey} WHERE ${isOfTenant}`,
  };
  return sql`
    SELECT * FROM (
      SELECT CASE WHEN ${lesson.lessonType} = ${reviewedType} THEN 2 ELSE 0 END AS what,
        ${lesson.lessonKey} AS key, NULL AS start, NULL::timestamptz AS at
      FROM ${lesson} ${ofTenant.lessons}
      UNION ALL
      SELECT 1, ${sighting.lessonKey}, ${epochText(sighting.windowStart)}, ${sighting.windowStart}
      FROM ${sighting} ${ofTenant.sightings}
    ) AS learned ORDER BY what, key COLLATE "C", at`;
}

function facts(): SQL {
  const { lessonKey, tenantId, scope, agentId, taskType, lessonType, signals } = agentLessons;
  const { evidence, ts, raw } = agentLessons;
  const lesson = jsonObject<LessonFacts>({
    ...{ lessonKey, tenantId, scope, agentId, taskType, lessonType, signals },
    ruleVersion: sql`${raw}->'rule_version'`,
    ...{ evidence, storedAt: epoch(ts) },
  });
  const of = lessonSightings;
  const sighting = jsonObject<SightingFacts>({
    ...{ lessonKey: of.lessonKey, evidence: of.evidence },
    ...{ storedAt: epoch(of.ts), windowStart: epochText(of.windowStart) },
  });
  return sql`
    SELECT * FROM (
      SELECT 'lesson' AS kind, ${lessonKey} AS key, NULL::timestamptz AS at, ${lesson} AS row
      FROM ${agentLessons}
      UNION ALL
      SELECT 'sighting', ${of.lessonKey}, ${of.windowStart}, ${sighting} FROM ${of}
    ) AS learned ORDER BY kind, key COLLATE "C", at`;
}
