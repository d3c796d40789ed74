import { type SQL, sql } from "drizzle-orm";
import type { Database } from "../../postgres/client.ts";
import { isoTime } from "../../postgres/columns.ts";
import { rowsOf } from "../../postgres/rows.ts";
import { agentLessons, effectChecks, lessonEffects, lessonEpochs } from "../../schema/tables.ts";
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

/** The database stays its opener's to close. */
export function openOverview(database: Database): Overview {
  const rows = rowsOf(database);

  return {
    async find(key, tenantId) {
      const ofTenant = tenantId === undefined ? sql`true` : sql`lesson.tenant_id = ${tenantId}`;
      const found = await rows<Stored>(
        effectsWhere(
          // No hex digit comes after f.
          sql`lesson.lesson_key >= ${key} AND lesson.lesson_key < ${`${key}g`} AND ${ofTenant}`,
          2,
        ),
      );
      const exact = found.find(({ lesson_key }) => lesson_key === key);
      return (exact === undefined ? found : [exact]).map(knownEffect);
    },
    async list({ tenantId, agent_id: agent, verdict, state }, limit, after) {
      const found = await rows<Stored>(
        effectsWhere(
          sql`known.tenant_id = ${tenantId} AND lesson.lesson_key > ${after}
            AND (${agent ?? null}::text IS NULL OR lesson.agent_id = ${agent ?? null})
            AND (${verdict ?? null}::text IS NULL OR known.verdict = ${verdict ?? null})
            AND (${state ?? null}::text IS NULL OR ${state ?? null} = (
              SELECT state FROM ${lessonEpochs} AS newest WHERE newest.lesson_key = lesson.lesson_key
              ORDER BY epoch DESC LIMIT 1))`,
          limit,
        ),
      );
      return found.map(knownEffect);
    },
    async checks(tenantId) {
      return await rows<TenantCheck>(sql`
        SELECT check_name AS "check", log_e AS "logE", broken, lessons FROM ${effectChecks}
        WHERE tenant_id = ${tenantId} ORDER BY check_name`);
    },
    async count() {
      const found = await rows<{ verdict: string; lessons: number }>(sql`
        SELECT verdict, count(*)::int AS lessons FROM ${lessonEffects} GROUP BY verdict`);
      return Object.fromEntries(found.map(({ verdict, lessons }) => [verdict, lessons]));
    },
    async broken() {
      const found = await rows<{ check: string; broken: number }>(sql`
        SELECT check_name AS "check", sum(broken::int + lessons)::int AS broken FROM ${effectChecks} GROUP BY check_name`);
      return Object.fromEntries(found.map(({ check, broken }) => [check, broken]));
    },
  };
}

interface Stored {
  readonly lesson_key: string;
  readonly tenant_id: string;
  readonly scope: string;
  readonly agent_id: string;
  readonly task_type: string;
  readonly lesson_type: string;
  readonly effect: Effect | null;
  readonly verdict: KnownEffect["verdict"] | null;
  readonly withheld: KnownEffect["withheld"];
  readonly changed_at: string | null;
  readonly evaluated_at: string | null;
  readonly epochs: readonly KnownEpoch[];
}

function effectsWhere(condition: SQL, limit: number): SQL {
  return sql`
    SELECT lesson.lesson_key, lesson.tenant_id, lesson.scope, lesson.agent_id, lesson.task_type, lesson.lesson_type,
      known.effect, known.verdict, known.withheld, ${isoTime(sql`known.changed_at`)} AS changed_at,
      ${isoTime(sql`known.evaluated_at`)} AS evaluated_at, (
        SELECT coalesce(jsonb_agg(jsonb_build_object('epoch', epoch, 'share', share, 'state', state, 'reason', reason,
          'at', ${isoTime(sql`at`)}) ORDER BY epoch), '[]')
        FROM ${lessonEpochs} AS epochs WHERE epochs.lesson_key = lesson.lesson_key) AS epochs
    FROM ${agentLessons} AS lesson LEFT JOIN ${lessonEffects} AS known USING (lesson_key)
    WHERE ${condition} ORDER BY lesson.lesson_key LIMIT ${limit}`;
}

function knownEffect(stored: Stored): KnownEffect {
  const { lesson_type: lessonType, epochs } = stored;
  const effect = stored.effect ?? effectOf([], unevaluated(lessonType));
  return {
    ...{ lessonKey: stored.lesson_key, tenantId: stored.tenant_id, scope: stored.scope },
    ...{ agentId: stored.agent_id, taskType: stored.task_type, lessonType, effect, epochs },
    ...{ verdict: stored.verdict ?? "insufficient_data", withheld: stored.withheld },
    ...{ changedAt: stored.changed_at, evaluatedAt: stored.evaluated_at },
    coinBroken: isBrokenForLesson(effect.coin),
    lossBroken: isBrokenForLesson(effect.loss),
  };
}

const unevaluated = (lessonType: string) => ({
  ...{ alpha: 0.05, wokeWith: 0, share: 0, obsoleteAfter: null },
  outcome: lessonType === "reviewed" ? ("run" as const) : ("failure" as const),
});
