import { type SQL, sql } from "drizzle-orm";
import { alias, type PgColumn } from "drizzle-orm/pg-core";
import type { Database } from "../../postgres/client.ts";
import { preparedRows } from "../../postgres/rows.ts";
import {
  agentLessons,
  lessonEffects,
  lessonEpochs,
  lessonExposures,
  lessonOutcomes,
} from "../../schema/tables.ts";
import type { Epoch, Verdict } from "../lessons/lesson.ts";
import { type ArmCounts, type Effect, type EpochCounts, noRuns } from "./effect.ts";
import type { Judged, Standing } from "./standing.ts";

/** What the evaluation reads. */
export interface LedgerReads {
  /** Lessons with outcomes, by their keys, after this one. */
  counted(after: string, limit: number): Promise<string[]>;
  read(lessonKeys: readonly string[]): Promise<Countable[]>;
  candidates(tenantId: string): Promise<Candidate[]>;
  /** Runs on record and runs lost, of all lessons of a tenant, by share. */
  pooled(tenantId: string): Promise<EpochCounts[]>;
  /** Changes of verdicts that are not known to be published. */
  unpublished(limit: number): Promise<Change[]>;
}

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

/** A change of a verdict that is to be published. */
export interface Change {
  readonly lessonKey: string;
  readonly revision: number;
}

/** The database stays its opener's to close. */
export function openLedgerReads(database: Database): LedgerReads {
  const patient = { deadlineMs: 60_000 };
  const listCounted = preparedRows<{ lessonKey: string }>(database, listingCounted(), patient);
  const findLessons = preparedRows<StoredLesson>(database, findingLessons(), patient);
  const countRuns = preparedRows<StoredCounts>(database, countingRuns(), patient);
  const listCandidates = preparedRows<StoredCandidate>(database, listingCandidates(), patient);
  const pool = preparedRows<StoredPool>(database, pooling(), patient);
  const listUnpublished = preparedRows<Change>(database, listingUnpublished(), patient);

  return {
    async counted(after, limit) {
      return (await listCounted({ after, limit })).map(({ lessonKey }) => lessonKey);
    },
    async read(lessonKeys) {
      const asked = { keys: JSON.stringify(lessonKeys) };
      const [lessons, counts] = await Promise.all([findLessons(asked), countRuns(asked)]);
      return lessons.map((lesson) => countable(lesson, counts));
    },
    async candidates(tenantId) {
      return (await listCandidates({ tenantId })).map(candidate);
    },
    async pooled(tenantId) {
      const arm = (exposed: number, unseen: number) => ({ ...noRuns, exposed, unseen });
      return (await pool({ tenantId })).map(({ share, ...of }) => ({
        ...{ epoch: 0, share, attached: arm(of.attached, of.attachedUnseen) },
        heldOut: arm(of.heldOut, of.heldOutUnseen),
      }));
    },
    unpublished: (limit) => listUnpublished({ limit }),
  };
}

function listingCounted(): SQL {
  const [lesson, known] = [alias(agentLessons, "lesson"), alias(lessonOutcomes, "known")];
  return sql`
    SELECT ${lesson.lessonKey} AS "lessonKey" FROM ${agentLessons} AS lesson
    WHERE ${lesson.lessonKey} > ${sql.placeholder("after")}
      AND EXISTS (SELECT FROM ${lessonOutcomes} AS known WHERE ${known.lessonKey} = ${lesson.lessonKey})
    ORDER BY ${lesson.lessonKey} LIMIT ${sql.placeholder("limit")}`;
}

const keys = sql`SELECT jsonb_array_elements_text(${sql.placeholder("keys")}::text::jsonb)`;

const epoch = alias(lessonEpochs, "epoch");

/** The newest `epoch` of the lesson with this key. */
function newestEpoch(lessonKey: PgColumn): SQL {
  const known = alias(lessonEpochs, "known");
  return sql`
    LEFT JOIN LATERAL (
      SELECT * FROM ${lessonEpochs} AS known
      WHERE ${known.lessonKey} = ${lessonKey} ORDER BY ${known.epoch} DESC LIMIT 1) AS epoch ON true`;
}

interface StoredLesson {
  readonly lessonKey: string;
  readonly tenantId: string;
  readonly lessonType: string;
  readonly epoch: number | null;
  readonly share: number;
  readonly state: Epoch["state"];
  readonly verdict: Verdict;
  readonly heldOutRate: number | null;
  readonly wokeWith: number | null;
  readonly heldOutSince: string | null;
}

function findingLessons(): SQL {
  const lesson = alias(agentLessons, "lesson");
  const slept = alias(lessonEpochs, "slept");
  const run = alias(lessonOutcomes, "run");
  return sql`
    SELECT ${lesson.lessonKey} AS "lessonKey", ${lesson.tenantId} AS "tenantId", ${lesson.lessonType} AS "lessonType",
      ${epoch.epoch} AS epoch, ${epoch.share} AS share, ${epoch.state} AS state, ${epoch.verdict} AS verdict,
      (${epoch.figures}->>'held_out_rate')::float8 AS "heldOutRate",
      (SELECT max(${slept.epoch}) + 1 FROM ${lessonEpochs} AS slept
        WHERE ${slept.lessonKey} = ${lesson.lessonKey} AND ${slept.state} = 'dormant') AS "wokeWith",
      CASE WHEN ${epoch.state} = 'proven' THEN (
        SELECT string_agg(CASE WHEN failed THEN '1' ELSE '0' END, '' ORDER BY at, id)
        FROM (SELECT ${run.exposedAt} AS at, ${run.runId} AS id,
            CASE WHEN ${lesson.lessonType} = 'reviewed' THEN NOT ${run.succeeded} ELSE ${run.recurred} END AS failed
          FROM ${lessonOutcomes} AS run WHERE ${run.lessonKey} = ${lesson.lessonKey}
            AND ${run.epoch} >= ${epoch.epoch} AND NOT ${run.attached}) AS since
        WHERE failed IS NOT NULL) END AS "heldOutSince"
    FROM ${agentLessons} AS lesson ${newestEpoch(lesson.lessonKey)}
    WHERE ${lesson.lessonKey} IN (${keys}) ORDER BY ${lesson.lessonKey}`;
}

interface StoredCounts extends ArmCounts {
  readonly lessonKey: string;
  readonly epoch: number;
  readonly share: number;
  readonly attached: boolean;
}

/** By what each exposure says of itself: one that has another share than its epoch is not counted with the others. */
function countingRuns(): SQL {
  const [exposure, outcome] = [
    alias(lessonExposures, "exposure"),
    alias(lessonOutcomes, "outcome"),
  ];
  return sql`
    SELECT key AS "lessonKey", epoch, share, attached, sum(exposed)::float8 AS exposed, sum(counted)::float8 AS counted,
      sum(failed)::float8 AS failed, sum(unseen)::float8 AS unseen, sum(ended)::float8 AS ended,
      sum(unsuccessful)::float8 AS unsuccessful
    FROM (
      SELECT ${exposure.lessonKey} AS key, ${exposure.epoch} AS epoch, ${exposure.share} AS share,
        ${exposure.attached} AS attached, count(*) AS exposed, 0 AS counted, 0 AS failed, 0 AS unseen, 0 AS ended,
        0 AS unsuccessful
      FROM ${lessonExposures} AS exposure WHERE ${exposure.lessonKey} IN (${keys}) GROUP BY 1, 2, 3, 4
      UNION ALL
      SELECT ${outcome.lessonKey}, ${outcome.epoch}, ${outcome.share}, ${outcome.attached}, 0, count(*),
        count(*) FILTER (WHERE ${outcome.recurred}), count(*) FILTER (WHERE NOT ${outcome.seen}),
        count(*) FILTER (WHERE ${outcome.succeeded} IS NOT NULL), count(*) FILTER (WHERE NOT ${outcome.succeeded})
      FROM ${lessonOutcomes} AS outcome WHERE ${outcome.lessonKey} IN (${keys}) GROUP BY 1, 2, 3, 4) AS runs
    GROUP BY 1, 2, 3, 4`;
}

function countable(lesson: StoredLesson, counts: readonly StoredCounts[]): Countable {
  const { lessonKey, tenantId, lessonType, epoch: number, share, state, verdict } = lesson;
  const byEpoch = new Map<string, EpochCounts>();
  for (const { lessonKey: key, epoch: of, share: at, attached, ...arm } of counts) {
    if (key !== lessonKey) continue;
    const place = `${of} ${at}`;
    const known = byEpoch.get(place) ?? { epoch: of, share: at, attached: noRuns, heldOut: noRuns };
    byEpoch.set(place, { ...known, [attached ? "attached" : "heldOut"]: arm });
  }
  return {
    ...{ lessonKey, tenantId, lessonType },
    epoch: number === null ? null : { epoch: number, share, state, verdict },
    ...{ heldOutRate: lesson.heldOutRate, wokeWith: lesson.wokeWith ?? 0 },
    ...{ heldOutSince: lesson.heldOutSince ?? "", epochs: [...byEpoch.values()] },
  };
}

interface StoredCandidate {
  readonly lessonKey: string;
  readonly effect: Effect;
  readonly verdict: Verdict;
  readonly withheld: Standing["withheld"];
  readonly epoch: number | null;
  readonly state: Epoch["state"];
  readonly given: Verdict | null;
}

function listingCandidates(): SQL {
  const lesson = alias(lessonEffects, "lesson");
  return sql`
    SELECT ${lesson.lessonKey} AS "lessonKey",
      ${lesson.effect} - 'epochs' || jsonb_build_object('epochs', coalesce((
        SELECT jsonb_agg(jsonb_build_object('heldOut', one->'heldOut'))
        FROM jsonb_array_elements(${lesson.effect}->'epochs') AS one), '[]')) AS effect,
      ${lesson.verdict} AS verdict, ${lesson.withheld} AS withheld, ${epoch.epoch} AS epoch, ${epoch.state} AS state,
      CASE WHEN ${epoch.state} <> 'trial' THEN ${epoch.verdict} END AS given
    FROM ${lessonEffects} AS lesson ${newestEpoch(lesson.lessonKey)}
    WHERE ${lesson.tenantId} = ${sql.placeholder("tenantId")} ORDER BY ${lesson.lessonKey}`;
}

function candidate(stored: StoredCandidate): Candidate {
  const { lessonKey, effect, verdict, withheld, epoch: number, state, given } = stored;
  const [failed, of] =
    effect.outcome === "run"
      ? (["unsuccessful", "ended"] as const)
      : (["failed", "counted"] as const);
  const sum = (field: "failed" | "counted" | "unsuccessful" | "ended") =>
    effect.epochs.reduce((all, { heldOut }) => all + heldOut[field], 0);
  return {
    ...{ lessonKey, standing: { verdict, withheld } },
    ...{ verdict: effect.verdict, logE: effect.logE, logESome: effect.logESome },
    ...{ coin: effect.coin, loss: effect.loss, withoutTrial: effect.withoutTrial },
    ...{ sinceWaking: effect.sinceWaking, obsoleteAfter: effect.obsoleteAfter },
    ...{ high: effect.high, heldOut: { failed: sum(failed), of: sum(of) } },
    given: given ?? "insufficient_data",
    epoch: number === null ? null : { epoch: number, state },
  };
}

interface StoredPool {
  readonly share: number;
  readonly attached: number;
  readonly heldOut: number;
  readonly attachedUnseen: number;
  readonly heldOutUnseen: number;
}

function pooling(): SQL {
  const lesson = alias(lessonEffects, "lesson");
  return sql`
    SELECT (one->>'share')::float8 AS share,
      sum((one->'attached'->>'exposed')::float8) AS attached, sum((one->'heldOut'->>'exposed')::float8) AS "heldOut",
      sum((one->'attached'->>'unseen')::float8) AS "attachedUnseen", sum((one->'heldOut'->>'unseen')::float8) AS "heldOutUnseen"
    FROM ${lessonEffects} AS lesson, jsonb_array_elements(${lesson.effect}->'epochs') AS one
    WHERE ${lesson.tenantId} = ${sql.placeholder("tenantId")} GROUP BY 1 ORDER BY 1`;
}

function listingUnpublished(): SQL {
  const of = lessonEffects;
  return sql`
    SELECT ${of.lessonKey} AS "lessonKey", ${of.revision} AS revision FROM ${of}
    WHERE ${of.revision} > ${of.published}
    ORDER BY ${of.changedAt}, ${of.lessonKey} LIMIT ${sql.placeholder("limit")}`;
}
