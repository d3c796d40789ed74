import type { Logger } from "../../log.ts";
import type { Upkeep } from "../../runtime/maintenance.ts";
import { isBrokenForLesson, isBrokenForTenant, logEOfCoin } from "./coin-check.ts";
import { eBenjaminiHochberg } from "./e-bh.ts";
import { countsOf, type Effect, effectOf, sumOf } from "./effect.ts";
import type { BegunEpoch, EffectLedger, TenantCheck } from "./ledger.ts";
import { nextEpoch } from "./next-epoch.ts";
import { obsoleteAfter } from "./obsolete.ts";
import type { Candidate, Countable } from "./reads.ts";
import { type Standing, standingsOf } from "./standing.ts";
import { latestExposureMs, type OutcomeStore } from "./store.ts";

export interface EvaluationOptions {
  readonly store: Pick<OutcomeStore, "settle" | "watermark">;
  readonly ledger: EffectLedger;
  readonly alpha: number;
  readonly horizonMs: number;
  readonly trialShare: number;
  readonly provenShare: number;
  /** Whether this replica is the one that evaluates. */
  readonly isDue: () => boolean;
  /** Told of outcomes that were counted. */
  readonly counted: (outcomes: number) => void;
  readonly log: Logger;
}

const settledAtOnce = 5_000;
const evaluatedAtOnce = 200;
const longestPauseMs = 30_000;
/** An exposure that is stored later than this waits for the next time that everything is looked at. */
const usuallyLateMs = 10 * 60_000;
const everythingEveryMs = 3_600_000;

/**
 * Counts the runs whose horizon has passed, and says what that means for lessons. One replica does; should two at once, they store
 * the same. Whatever a crash leaves undone the next one finds when it looks at everything.
 */
export function evaluation(options: EvaluationOptions): Upkeep & { readonly everyMs: number } {
  const { store, ledger, horizonMs, isDue, log } = options;
  let settledUntil = 0;
  /** When everything was looked at last, by the clock of this process; null: what was done since is not known. */
  let everythingAt: number | null = null;

  async function evaluate(signal: AbortSignal): Promise<void> {
    const startedAt = performance.now();
    const before = everythingAt ?? Number.NEGATIVE_INFINITY;
    const isEverything = startedAt - before > everythingEveryMs;
    // Until this has ended well.
    everythingAt = null;
    const woken = await ledger.wake(options.trialShare);
    if (woken > 0) log.info({ lessons: woken }, "lessons were seen again: new trials");
    const changed = [...(await settleAll(isEverything, signal))].sort();
    const tenants = new Set<string>();
    const lessons = isEverything ? everyLesson(ledger) : slicesOf(changed);
    for await (const keys of lessons) {
      if (signal.aborted) break;
      for (const tenant of await evaluateSome(keys, options)) tenants.add(tenant);
    }
    for (const tenant of tenants) if (!signal.aborted) await judgeTenant(tenant, options);
    if (!signal.aborted) everythingAt = isEverything ? startedAt : before;
  }

  async function settleAll(isEverything: boolean, signal: AbortSignal): Promise<Set<string>> {
    const changed = new Set<string>();
    const until = await store.watermark();
    if (until === null) return changed;
    const lateness = isEverything ? latestExposureMs + horizonMs : usuallyLateMs;
    const since = isEverything ? until - lateness - horizonMs : settledUntil - lateness;
    while (!signal.aborted) {
      const { outcomes, lessonKeys } = await store.settle(Math.max(0, since), settledAtOnce);
      options.counted(outcomes);
      for (const key of lessonKeys) changed.add(key);
      if (outcomes < settledAtOnce) break;
    }
    settledUntil = until - horizonMs;
    return changed;
  }

  return {
    name: "evaluating effects",
    everyMs: Math.min(longestPauseMs, horizonMs / 4),
    async run(signal) {
      if (isDue()) await evaluate(signal);
      else everythingAt = null;
    },
  };
}

/** The keys of all lessons whose runs were counted, some at a time. */
async function* everyLesson(ledger: EffectLedger): AsyncGenerator<readonly string[]> {
  for (let after = ""; ; ) {
    const keys = await ledger.counted(after, evaluatedAtOnce);
    yield keys;
    if (keys.length < evaluatedAtOnce) return;
    after = keys.at(-1) ?? "";
  }
}

function* slicesOf(keys: readonly string[]): Generator<readonly string[]> {
  for (let i = 0; i < keys.length; i += evaluatedAtOnce) yield keys.slice(i, i + evaluatedAtOnce);
}

/** Stores what these lessons' own runs say; resolves to their tenants. */
async function evaluateSome(
  lessonKeys: readonly string[],
  { ledger, alpha }: Pick<EvaluationOptions, "ledger" | "alpha">,
): Promise<Set<string>> {
  if (lessonKeys.length === 0) return new Set();
  const lessons = await ledger.read(lessonKeys);
  await ledger.save(lessons.map((of) => ({ of, effect: effectOfLesson(of, alpha) })));
  return new Set(lessons.map(({ tenantId }) => tenantId));
}

export function effectOfLesson(lesson: Countable, alpha: number): Effect {
  const { epoch, epochs, heldOutSince, wokeWith, lessonType } = lesson;
  const isProven = epoch?.state === "proven";
  const before = epochs.filter((one) => epoch !== null && one.epoch < epoch.epoch);
  const heldOut = sumOf(before, "heldOut");
  const rate = lesson.heldOutRate ?? (heldOut.counted === 0 ? 0 : heldOut.failed / heldOut.counted);
  return effectOf(epochs, {
    ...{ alpha, wokeWith, share: epoch?.share ?? 0 },
    // What a person has written has no failure of its own.
    outcome: lessonType === "reviewed" ? "run" : "failure",
    obsoleteAfter: isProven ? obsoleteAfter(heldOutSince, rate) : null,
  });
}

/** What may be said of each lesson of a tenant, and the epochs that follow. */
async function judgeTenant(tenantId: string, options: EvaluationOptions): Promise<void> {
  const { ledger, alpha, log } = options;
  const lessons = await ledger.candidates(tenantId);
  const checks = checksOf(lessons, await ledger.pooled(tenantId), alpha);
  await ledger.saveChecks(tenantId, checks);
  const isBroken = (wanted: string) =>
    checks.some(({ check, broken }) => check === wanted && broken);
  const standings = standingsOf(
    lessons,
    { coinBroken: isBroken("coin"), lossBroken: isBroken("loss") },
    alpha,
  );
  const judged = lessons.map((lesson, i) => ({ ...lesson, standing: standings[i] ?? unknown }));
  await ledger.stand(
    judged.filter(({ standing }, i) => !isSame(standing, lessons[i]?.standing ?? unknown)),
  );
  const begun = judged.flatMap((one) => epochAfter(one, tenantId, options) ?? []);
  for (const { lessonKey, state, reason } of begun) {
    log.info({ lesson_key: lessonKey, state, reason }, "a new epoch of a lesson");
  }
  await ledger.begin(begun);
}

const unknown: Standing = { verdict: "insufficient_data", withheld: null };

const isSame = (a: Standing, b: Standing) => a.verdict === b.verdict && a.withheld === b.withheld;

/** The checks of all lessons together; of single ones those count that hold among all, since of many some always look so. */
export function checksOf(
  lessons: readonly Pick<Candidate, "coin" | "loss">[],
  pooled: Parameters<typeof countsOf>[0],
  alpha: number,
): TenantCheck[] {
  return (["coin", "loss"] as const).map((check) => {
    const logE = logEOfCoin(countsOf(pooled, check === "coin" ? "exposed" : "unseen"));
    const each = lessons.map((lesson) => lesson[check]);
    const among = eBenjaminiHochberg(each, alpha);
    const broken = each.filter((one, place) => isBrokenForLesson(one) && among.has(place)).length;
    return { check, logE, broken: isBrokenForTenant(logE), lessons: broken };
  });
}

function epochAfter(
  lesson: Candidate,
  tenantId: string,
  options: Pick<EvaluationOptions, "provenShare">,
): BegunEpoch | null {
  const { epoch, standing, heldOut, lessonKey, logE, high } = lesson;
  if (epoch === null) return null;
  const next = nextEpoch(epoch, lesson, standing, options);
  if (next === null) return null;
  const rate = heldOut.of === 0 ? 0 : heldOut.failed / heldOut.of;
  const figures = { log_e: logE, high, held_out_rate: rate, held_out: heldOut };
  return { ...next, lessonKey, tenantId, epoch: epoch.epoch + 1, figures };
}
