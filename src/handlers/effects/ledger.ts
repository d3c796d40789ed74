import { type SQL, sql } from "drizzle-orm";
import type { Database } from "../../postgres/client.ts";
import { rowsOf } from "../../postgres/rows.ts";
import {
  agentLessons,
  effectChecks,
  lessonEffects,
  lessonEpochs,
  lessonExposures,
  lessonOutcomes,
  lessonSightings,
} from "../../schema/tables.ts";
import type { Epoch, Verdict } from "../lessons/lesson.ts";
import type { Check } from "./coin-check.ts";
import { type ArmCounts, type Effect, type EpochCounts, noRuns } from "./effect.ts";
import type { NextEpoch } from "./next-epoch.ts";
import type { Judged, Standing } from "./standing.ts";

/** A lesson before it is evaluated. */
export interface Countable {
  readonly lessonKey: string;
  readonly tenantId: string;
  readonly lessonType: string;
  /** Null: it has none yet. */
  readonly epoch: Pick<Epoch, "epoch" | "share" | "state" | "verdict"> | null;
  /** The share of held-out runs that failed before it was proven; null: it is not. */
  readonly heldOutRate: number | null;
  /** The epoch that it last woke with; 0: it never slept. */
  readonly wokeWith: number;
  /** Of runs that were held out since it was proven, in the order of exposure: 1 failed, 0 did not. */
  readonly heldOutSince: string;
  readonly epochs: readonly EpochCounts[];
}

/** A lesson among those of its tenant. */
export interface Candidate extends Judged {
  readonly lessonKey: string;
  /** As it is stored. */
  readonly standing: Standing;
  readonly sinceWaking: Verdict;
  readonly obsoleteAfter: number | null;
  readonly high: number | null;
  readonly heldOut: { readonly failed: number; readonly of: number };
  readonly epoch: Pick<Epoch, "epoch" | "state"> | null;
}

export interface BegunEpoch extends NextEpoch {
  readonly lessonKey: string;
  readonly tenantId: string;
  readonly epoch: number;
  readonly figures: object;
}

/** A change of a verdict that is to be published. */
export interface Change {
  readonly lessonKey: string;
  readonly revision: number;
}

export interface TenantCheck {
  readonly check: Check;
  readonly logE: number;
  readonly broken: boolean;
  readonly lessons: number;
}

/** What is known of effects, and the epochs that follow from it. Every method rejects as `Database.run` does. */
export interface EffectLedger {
  /** Lessons with outcomes, by their keys, after this one. */
  counted(after: string, limit: number): Promise<string[]>;
  read(lessonKeys: readonly string[]): Promise<Countable[]>;
  save(effects: readonly { readonly of: Countable; readonly effect: Effect }[]): Promise<void>;
  candidates(tenantId: string): Promise<Candidate[]>;
  /** Runs on record and runs lost, of all lessons of a tenant, by share. */
  pooled(tenantId: string): Promise<EpochCounts[]>;
  saveChecks(tenantId: string, found: readonly TenantCheck[]): Promise<void>;
  stand(
    standings: readonly { readonly lessonKey: string; readonly standing: Standing }[],
  ): Promise<void>;
  /** Those that somebody else has begun meanwhile stay as they are. */
  begin(epochs: readonly BegunEpoch[]): Promise<number>;
  /** Gives dormant lessons that were sighted again a new trial; resolves to their number. */
  wake(share: number): Promise<number>;
  /** Changes of verdicts that are not known to be published. */
  unpublished(limit: number): Promise<Change[]>;
  confirm(change: Change): Promise<void>;
}

/** The database stays its opener's to close. */
export function openEffectLedger(database: Database): EffectLedger {
  const rows = rowsOf(database, { deadlineMs: 60_000 });

  return {
    async counted(after, limit) {
      const found = await rows<{ lesson_key: string }>(sql`
        SELECT lesson_key FROM ${agentLessons} AS lesson WHERE lesson_key > ${after}
          AND EXISTS (SELECT FROM ${lessonOutcomes} AS known WHERE known.lesson_key = lesson.lesson_key)
        ORDER BY lesson_key LIMIT ${limit}`);
      return found.map((row) => row.lesson_key);
    },
    async read(lessonKeys) {
      const keys = keysIn(lessonKeys);
      const [lessons, counts] = await Promise.all([
        rows<StoredLesson>(lessonsOf(keys)),
        rows<StoredCounts>(countsOf(keys)),
      ]);
      return lessons.map((lesson) => countable(lesson, counts));
    },
    async save(effects) {
      if (effects.length > 0) await rows(saving(effects));
    },
    async candidates(tenantId) {
      return (await rows<StoredCandidate>(candidatesOf(tenantId))).map(candidate);
    },
    async pooled(tenantId) {
      const found = await rows<StoredPool>(poolOf(tenantId));
      const arm = (exposed: number, unseen: number) => ({ ...noRuns, exposed, unseen });
      return found.map(({ share, ...of }) => ({
        ...{ epoch: 0, share, attached: arm(of.attached, of.attached_unseen) },
        heldOut: arm(of.held_out, of.held_out_unseen),
      }));
    },
    async saveChecks(tenantId, found) {
      await rows(sql`
        INSERT INTO ${effectChecks} (tenant_id, check_name, log_e, broken, lessons)
        SELECT ${tenantId}, * FROM jsonb_to_recordset(${JSON.stringify(
          found.map(({ check, logE, broken, lessons }) => ({
            ...{ check_name: check, log_e: logE, broken, lessons },
          })),
        )}::text::jsonb) AS given (check_name text, log_e float8, broken boolean, lessons int)
        ON CONFLICT (tenant_id, check_name) DO UPDATE
        SET log_e = excluded.log_e, broken = excluded.broken, lessons = excluded.lessons, at = clock_timestamp()`);
    },
    async stand(standings) {
      if (standings.length > 0) await rows(standing(standings));
    },
    async begin(epochs) {
      return epochs.length === 0 ? 0 : (await rows(beginning(epochs))).length;
    },
    async wake(share) {
      return (await rows(waking(share))).length;
    },
    async unpublished(limit) {
      return await rows<{ lessonKey: string; revision: number }>(sql`
        SELECT lesson_key AS "lessonKey", revision FROM ${lessonEffects} WHERE revision > published
        ORDER BY changed_at, lesson_key LIMIT ${limit}`);
    },
    async confirm({ lessonKey, revision }) {
      await rows(sql`
        UPDATE ${lessonEffects} SET published = greatest(published, ${revision}::int)
        WHERE lesson_key = ${lessonKey}`);
    },
  };
}

const keysIn = (keys: readonly string[]) =>
  sql`SELECT jsonb_array_elements_text(${JSON.stringify(keys)}::text::jsonb)`;

/** Of `lesson`, whatever row that is. */
const newestEpoch = sql`
  LEFT JOIN LATERAL (
    SELECT epochs.epoch, epochs.share, epochs.state, epochs.verdict, epochs.figures FROM ${lessonEpochs} AS epochs
    WHERE epochs.lesson_key = lesson.lesson_key ORDER BY epochs.epoch DESC LIMIT 1) AS epoch ON true`;

interface StoredLesson {
  readonly lesson_key: string;
  readonly tenant_id: string;
  readonly lesson_type: string;
  readonly epoch: number | null;
  readonly share: number;
  readonly state: Epoch["state"];
  readonly verdict: Verdict;
  readonly held_out_rate: number | null;
  readonly woke_with: number | null;
  readonly held_out_since: string | null;
}

function lessonsOf(keys: SQL): SQL {
  return sql`
    SELECT lesson.lesson_key, lesson.tenant_id, lesson.lesson_type, epoch.epoch, epoch.share, epoch.state, epoch.verdict,
      (epoch.figures->>'held_out_rate')::float8 AS held_out_rate,
      (SELECT max(slept.epoch) + 1 FROM ${lessonEpochs} AS slept
        WHERE slept.lesson_key = lesson.lesson_key AND slept.state = 'dormant') AS woke_with,
      CASE WHEN epoch.state = 'proven' THEN (
        SELECT string_agg(CASE WHEN failed THEN '1' ELSE '0' END, '' ORDER BY exposed_at, run_id)
        FROM (SELECT exposed_at, run_id,
            CASE WHEN lesson.lesson_type = 'reviewed' THEN NOT succeeded ELSE recurred END AS failed
          FROM ${lessonOutcomes} AS held_out WHERE held_out.lesson_key = lesson.lesson_key
            AND held_out.epoch >= epoch.epoch AND NOT held_out.attached) AS since
        WHERE failed IS NOT NULL) END AS held_out_since
    FROM ${agentLessons} AS lesson ${newestEpoch}
    WHERE lesson.lesson_key IN (${keys}) ORDER BY lesson.lesson_key`;
}

interface StoredCounts extends ArmCounts {
  readonly lesson_key: string;
  readonly epoch: number;
  readonly share: number;
  readonly attached: boolean;
}

/** By what each exposure says of itself: one that has another share than its epoch is not counted with the others. */
function countsOf(keys: SQL): SQL {
  return sql`
    SELECT lesson_key, epoch, share, attached, sum(exposed)::float8 AS exposed, sum(counted)::float8 AS counted,
      sum(failed)::float8 AS failed, sum(unseen)::float8 AS unseen, sum(ended)::float8 AS ended,
      sum(unsuccessful)::float8 AS unsuccessful
    FROM (
      SELECT lesson_key, epoch, share, attached, count(*) AS exposed, 0 AS counted, 0 AS failed, 0 AS unseen, 0 AS ended,
        0 AS unsuccessful
      FROM ${lessonExposures} WHERE lesson_key IN (${keys}) GROUP BY 1, 2, 3, 4
      UNION ALL
      SELECT lesson_key, epoch, share, attached, 0, count(*), count(*) FILTER (WHERE recurred),
        count(*) FILTER (WHERE NOT seen), count(*) FILTER (WHERE succeeded IS NOT NULL), count(*) FILTER (WHERE NOT succeeded)
      FROM ${lessonOutcomes} WHERE lesson_key IN (${keys}) GROUP BY 1, 2, 3, 4) AS runs
    GROUP BY 1, 2, 3, 4`;
}

function countable(lesson: StoredLesson, counts: readonly StoredCounts[]): Countable {
  const { epoch, share, state, verdict } = lesson;
  const byEpoch = new Map<string, EpochCounts>();
  for (const { lesson_key, epoch: of, share: at, attached, ...arm } of counts) {
    if (lesson_key !== lesson.lesson_key) continue;
    const place = `${of} ${at}`;
    const known = byEpoch.get(place) ?? { epoch: of, share: at, attached: noRuns, heldOut: noRuns };
    byEpoch.set(place, { ...known, [attached ? "attached" : "heldOut"]: arm });
  }
  return {
    ...{ lessonKey: lesson.lesson_key, tenantId: lesson.tenant_id },
    lessonType: lesson.lesson_type,
    epoch: epoch === null ? null : { epoch, share, state, verdict },
    ...{ heldOutRate: lesson.held_out_rate, wokeWith: lesson.woke_with ?? 0 },
    ...{ heldOutSince: lesson.held_out_since ?? "", epochs: [...byEpoch.values()] },
  };
}

function saving(effects: readonly { readonly of: Countable; readonly effect: Effect }[]): SQL {
  const given = effects.map(({ of, effect }) => ({
    ...{ lesson_key: of.lessonKey, tenant_id: of.tenantId, effect },
  }));
  return sql`
    INSERT INTO ${lessonEffects} AS kept (lesson_key, tenant_id, effect)
    SELECT lesson_key, tenant_id, effect
    FROM jsonb_to_recordset(${JSON.stringify(given)}::text::jsonb) AS given (lesson_key text, tenant_id text, effect jsonb)
    ORDER BY lesson_key
    ON CONFLICT (lesson_key) DO UPDATE SET effect = excluded.effect, evaluated_at = clock_timestamp()`;
}

interface StoredCandidate {
  readonly lesson_key: string;
  readonly effect: Effect;
  readonly verdict: Verdict;
  readonly withheld: Standing["withheld"];
  readonly epoch: number | null;
  readonly state: Epoch["state"];
  readonly given: Verdict | null;
}

function candidatesOf(tenantId: string): SQL {
  return sql`
    SELECT lesson.lesson_key, lesson.effect - 'epochs' || jsonb_build_object('epochs', coalesce((
        SELECT jsonb_agg(jsonb_build_object('heldOut', one->'heldOut'))
        FROM jsonb_array_elements(lesson.effect->'epochs') AS one), '[]')) AS effect,
      lesson.verdict, lesson.withheld, epoch.epoch, epoch.state,
      CASE WHEN epoch.state <> 'trial' THEN epoch.verdict END AS given
    FROM ${lessonEffects} AS lesson ${newestEpoch}
    WHERE lesson.tenant_id = ${tenantId} ORDER BY lesson.lesson_key`;
}

function candidate(stored: StoredCandidate): Candidate {
  const { effect, verdict, withheld, epoch, state, given } = stored;
  const [failed, of] =
    effect.outcome === "run"
      ? (["unsuccessful", "ended"] as const)
      : (["failed", "counted"] as const);
  const sum = (field: "failed" | "counted" | "unsuccessful" | "ended") =>
    effect.epochs.reduce((all, { heldOut }) => all + heldOut[field], 0);
  return {
    ...{ lessonKey: stored.lesson_key, standing: { verdict, withheld } },
    ...{ verdict: effect.verdict, logE: effect.logE, logESome: effect.logESome },
    ...{ coin: effect.coin, loss: effect.loss, withoutTrial: effect.withoutTrial },
    ...{ sinceWaking: effect.sinceWaking, obsoleteAfter: effect.obsoleteAfter },
    ...{ high: effect.high, heldOut: { failed: sum(failed), of: sum(of) } },
    ...{ given: given ?? "insufficient_data", epoch: epoch === null ? null : { epoch, state } },
  };
}

interface StoredPool {
  readonly share: number;
  readonly attached: number;
  readonly held_out: number;
  readonly attached_unseen: number;
  readonly held_out_unseen: number;
}

function poolOf(tenantId: string): SQL {
  const sum = (arm: string, field: string) =>
    sql`sum((one->${arm}::text->>${field}::text)::float8)`;
  return sql`
    SELECT (one->>'share')::float8 AS share, ${sum("attached", "exposed")} AS attached,
      ${sum("heldOut", "exposed")} AS held_out, ${sum("attached", "unseen")} AS attached_unseen,
      ${sum("heldOut", "unseen")} AS held_out_unseen
    FROM ${lessonEffects} AS lesson, jsonb_array_elements(lesson.effect->'epochs') AS one
    WHERE lesson.tenant_id = ${tenantId} GROUP BY 1 ORDER BY 1`;
}

function standing(
  standings: readonly { readonly lessonKey: string; readonly standing: Standing }[],
): SQL {
  const given = standings.map(({ lessonKey, standing: { verdict, withheld } }) => ({
    ...{ lesson_key: lessonKey, verdict, withheld },
  }));
  return sql`
    UPDATE ${lessonEffects} AS kept SET verdict = given.verdict, withheld = given.withheld,
      previous = CASE WHEN kept.verdict = given.verdict THEN kept.previous ELSE kept.verdict END,
      revision = kept.revision + (kept.verdict <> given.verdict)::int,
      changed_at = CASE WHEN kept.verdict = given.verdict THEN kept.changed_at ELSE clock_timestamp() END
    FROM jsonb_to_recordset(${JSON.stringify(given)}::text::jsonb) AS given (lesson_key text, verdict text, withheld text)
    WHERE kept.lesson_key = given.lesson_key
      AND (kept.verdict, kept.withheld) IS DISTINCT FROM (given.verdict, given.withheld)`;
}

function beginning(epochs: readonly BegunEpoch[]): SQL {
  const given = epochs.map(({ lessonKey, tenantId, ...rest }) => ({
    ...{ tenant_id: tenantId, lesson_key: lessonKey, ...rest },
  }));
  return sql`
    INSERT INTO ${lessonEpochs} (tenant_id, lesson_key, epoch, share, state, verdict, benefit, reason, figures)
    SELECT given.* FROM jsonb_to_recordset(${JSON.stringify(given)}::text::jsonb) AS given (tenant_id text,
      lesson_key text, epoch int, share float8, state text, verdict text, benefit float8, reason text, figures jsonb)
    WHERE NOT EXISTS (SELECT FROM ${lessonEpochs} AS known
      WHERE known.lesson_key = given.lesson_key AND known.epoch >= given.epoch)
    ORDER BY lesson_key ON CONFLICT DO NOTHING RETURNING 1`;
}

/** By a sighting that was stored after the lesson fell asleep. */
function waking(share: number): SQL {
  return sql`
    INSERT INTO ${lessonEpochs} (tenant_id, lesson_key, epoch, share, state, verdict, reason)
    SELECT slept.tenant_id, slept.lesson_key, slept.epoch + 1, ${share}::float8, 'trial', 'insufficient_data', 'it was seen again'
    FROM ${lessonEpochs} AS slept
    WHERE slept.state = 'dormant'
      AND NOT EXISTS (SELECT FROM ${lessonEpochs} AS newer
        WHERE newer.lesson_key = slept.lesson_key AND newer.epoch > slept.epoch)
      AND EXISTS (SELECT FROM ${lessonSightings} AS seen
        WHERE seen.lesson_key = slept.lesson_key AND seen.ts > slept.at)
    ORDER BY slept.lesson_key ON CONFLICT DO NOTHING RETURNING 1`;
}
