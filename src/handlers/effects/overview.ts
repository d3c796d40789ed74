import { and, eq, gt, type SQL, sql } from "drizzle-orm";
import { alias } from "drizzle-orm/pg-core";
import type { Database } from "../../postgres/client.ts";
import { columnNames, isoTime, jsonObject } from "../../postgres/columns.ts";
import { rowsOf } from "../../postgres/rows.ts";
import { agentLessons, effectChecks, lessonEffects, lessonEpochs } from "../../schema/tables.ts";
import { keyBegins } from "../lessons/lesson-filter.ts";
import { isBrokenForLesson } from "./coin-check.ts";
import { type Effect, effectOf } from "./effect.ts";
import type { TenantCheck } from "./ledger.ts";
import type { KnownEffect, KnownEpoch, ListRequest } from "./wire.ts";

/** What is known of effects, for requests. Every method rejects as `Database.run` does. */
export interface Overview {
  /** By its key or the first characters of it; two where several begin so. */
  find(lessonKey: string, tenantId?: string): Promise<KnownEffect[]>;
  /** Those that have been evaluated, by their keys, after `after`. */
  list(
    filter: Pick<ListRequest, "agent_id" | "verdict" | "state"> & { readonly tenantId: string },
    limit: number,
    after: string,
  ): Promise<KnownEffect[]>;
  checks(tenantId: string): Promise<TenantCheck[]>;
  /** By verdict. */
  count(): Promise<Readonly<Record<string, number>>>;
  /** Tenants and lessons for which a check is broken. */
  broken(): Promise<Readonly<Record<string, number>>>;
}

const lesson = alias(agentLessons, "lesson");
const known = alias(lessonEffects, "known");

/** The database stays its opener's to close. */
export function openOverview(database: Database): Overview {
  const rows = rowsOf(database);

  return {
    async find(key, tenantId) {
      const ofTenant = tenantId === undefined ? sql`true` : eq(lesson.tenantId, tenantId);
      const begins = keyBegins(key, lesson.lessonKey);
      const found = await rows<Stored>(effectsWhere(sql`${begins} AND ${ofTenant}`, 2));
      const exact = found.find(({ lessonKey }) => lessonKey === key);
      return (exact === undefined ? found : [exact]).map(knownEffect);
    },
    async list({ tenantId, agent_id: agent, verdict, state }, limit, after) {
      const isWanted = and(
        eq(known.tenantId, tenantId),
        gt(lesson.lessonKey, after),
        agent === undefined ? undefined : eq(lesson.agentId, agent),
        verdict === undefined ? undefined : eq(known.verdict, verdict),
        state === undefined ? undefined : eq(newestState(), state),
      );
      const found = await rows<Stored>(effectsWhere(sql`${isWanted}`, limit));
      return found.map(knownEffect);
    },
    async checks(tenantId) {
      const { checkName, logE, broken, lessons } = effectChecks;
      return await rows<TenantCheck>(sql`
        SELECT ${checkName} AS "check", ${logE} AS "logE", ${broken}, ${lessons} FROM ${effectChecks}
        WHERE ${effectChecks.tenantId} = ${tenantId} ORDER BY ${checkName}`);
    },
    async count() {
      const { verdict } = lessonEffects;
      const found = await rows<{ verdict: string; lessons: number }>(sql`
        SELECT ${verdict}, count(*)::int AS lessons FROM ${lessonEffects} GROUP BY ${verdict}`);
      return Object.fromEntries(found.map(({ verdict, lessons }) => [verdict, lessons]));
    },
    async broken() {
      const { checkName, broken, lessons } = effectChecks;
      const found = await rows<{ check: string; broken: number }>(sql`
        SELECT ${checkName} AS "check", sum(${broken}::int + ${lessons})::int AS broken
        FROM ${effectChecks} GROUP BY ${checkName}`);
      return Object.fromEntries(found.map(({ check, broken }) => [check, broken]));
    },
  };
}

interface Stored {
  readonly lessonKey: string;
  readonly tenantId: string;
  readonly scope: string;
  readonly agentId: string;
  readonly taskType: string;
  readonly lessonType: string;
  readonly effect: Effect | null;
  readonly verdict: KnownEffect["verdict"] | null;
  readonly withheld: KnownEffect["withheld"];
  readonly changedAt: string | null;
  readonly evaluatedAt: string | null;
  readonly epochs: readonly KnownEpoch[];
}

function newestState(): SQL {
  const newest = alias(lessonEpochs, "newest");
  return sql`(
    SELECT ${newest.state} FROM ${lessonEpochs} AS newest WHERE ${newest.lessonKey} = ${lesson.lessonKey}
    ORDER BY ${newest.epoch} DESC LIMIT 1)`;
}

function effectsWhere(condition: SQL, limit: number): SQL {
  const { epoch, share, state, reason, at, lessonKey } = alias(lessonEpochs, "of_lesson");
  const told = jsonObject({ epoch, share, state, reason, at: isoTime(at) });
  return sql`
    SELECT ${lesson.lessonKey} AS "lessonKey", ${lesson.tenantId} AS "tenantId", ${lesson.scope},
      ${lesson.agentId} AS "agentId", ${lesson.taskType} AS "taskType", ${lesson.lessonType} AS "lessonType",
      ${known.effect}, ${known.verdict}, ${known.withheld}, ${isoTime(known.changedAt)} AS "changedAt",
      ${isoTime(known.evaluatedAt)} AS "evaluatedAt", (
        SELECT coalesce(json_agg(${told} ORDER BY ${epoch}), '[]')
        FROM ${lessonEpochs} AS of_lesson WHERE ${lessonKey} = ${lesson.lessonKey}) AS epochs
    FROM ${agentLessons} AS lesson LEFT JOIN ${lessonEffects} AS known USING (${columnNames(lesson.lessonKey)})
    WHERE ${condition} ORDER BY ${lesson.lessonKey} LIMIT ${limit}`;
}

function knownEffect(stored: Stored): KnownEffect {
  const { lessonType, verdict } = stored;
  const effect = stored.effect ?? effectOf([], unevaluated(lessonType));
  return {
    ...stored,
    ...{ effect, verdict: verdict ?? "insufficient_data" },
    coinBroken: isBrokenForLesson(effect.coin),
    lossBroken: isBrokenForLesson(effect.loss),
  };
}

const unevaluated = (lessonType: string) => ({
  ...{ alpha: 0.05, wokeWith: 0, share: 0, obsoleteAfter: null },
  outcome: lessonType === "reviewed" ? ("run" as const) : ("failure" as const),
});
