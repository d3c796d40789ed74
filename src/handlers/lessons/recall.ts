import { LRUCache } from "lru-cache";
import type { Logger } from "../../log.ts";
import { withTimeout } from "../../runtime/timeout.ts";
import { blockOf } from "./block.ts";
import { type Asked, type Choice, choose, linesOf, type Omitted } from "./choice.ts";
import { coinKeyOf } from "./coin.ts";
import { type Exposure, exposuresOf, type RunRecord } from "./exposure.ts";
import type { Facts } from "./facts.ts";
import type { KnownLesson } from "./lesson.ts";
import type { LessonMemory } from "./memory.ts";
import { type Prepared, prepareChoices } from "./prepared.ts";
import type { Recorder, StoredRecord } from "./record.ts";

export interface RecallAnswer {
  /** What is handed out now. */
  readonly lessons: readonly KnownLesson[];
  /** What this run was given before. */
  readonly already: readonly string[];
  readonly omitted: readonly Omitted[];
  readonly block: string;
  /** Whether this run's exposures are on record. */
  readonly recorded: boolean;
}

export interface Recalling {
  readonly tenantId: string;
  /** Absent: no coin is read and nothing is recorded. */
  readonly runId?: string;
  readonly asked: Asked;
}

/** Without a run the same answer, as long as nothing changes. */
export type RecallLessons = (recalling: Recalling) => Promise<RecallAnswer>;

/** An agent waits no longer for the record of what it is told. */
const recordWithinMs = 100;
/** NATS waits for an answer that long at least. */
const leastWaitMs = 1;
/** So often another replica may be faster. */
const mostAttempts = 4;
/** What is remembered of runs, so that most records are found right at once. */
const mostRuns = 10_000;

/** What this replica knows of a run's record. */
interface KnownRecord extends StoredRecord {
  /**
   * False: it was stored here, and the stream alone knows when. Whoever continues it reads it there first; until then its
   * exposures are enough, and what was cut is not kept.
   */
  readonly isRead: boolean;
}

export function openRecall(options: {
  readonly memory: Pick<LessonMemory, "concerning">;
  readonly recorder: Recorder;
  readonly facts: Facts;
  readonly coinKey: string;
  readonly log: Logger;
}): RecallLessons {
  const { memory, recorder, facts, log } = options;
  const coinKey = coinKeyOf(options.coinKey);
  const records = new LRUCache<string, KnownRecord>({ max: mostRuns });
  /** Runs that were given lessons that are not on record: a coin that came later would tell nothing. */
  const unrecorded = new LRUCache<string, true>({ max: mostRuns });
  const prepared = prepareChoices(facts);
  const withoutRun = new WeakMap<Choice, RecallAnswer>();

  function answer(
    choice: Choice,
    exposed: RunRecord | null,
    fresh: readonly Exposure[],
  ): RecallAnswer {
    // The coin was read of each that fits, in this order.
    const lessons = choice.fitting.filter((_, index) => fresh[index]?.attached === true);
    const block = blockOf(linesOf(lessons, facts));
    const before = exposed?.exposures ?? [];
    return { ...standing(before, choice, fresh), lessons, block, recorded: true };
  }

  /** Everything that fits, without a coin; but what is known to be on record stays as it is there. */
  function unrecordedAnswer(choice: Choice, known: RunRecord | null): RecallAnswer {
    const { fitting: lessons } = choice;
    const block = blockOf(linesOf(lessons, facts));
    return { ...standing(known?.exposures ?? [], choice), lessons, block, recorded: false };
  }

  function giveUp(choice: Choice, run: string, known: RunRecord | null): RecallAnswer {
    unrecorded.set(run, true);
    return unrecordedAnswer(choice, known);
  }

  /** Kept for as long as its choice is. */
  function answerWithoutRun({ choice }: Prepared): RecallAnswer {
    const found = withoutRun.get(choice) ?? unrecordedAnswer(choice, null);
    withoutRun.set(choice, found);
    return found;
  }

  async function recallInRun(
    { tenantId, asked }: Recalling,
    runId: string,
    { tiers, choice: first }: Prepared,
  ): Promise<RecallAnswer> {
    const run = JSON.stringify([tenantId, runId]);
    const deadline = performance.now() + recordWithinMs;
    let known = records.get(run) ?? null;
    /** Whether another replica has, or may have, put this run's arms on record. */
    let isElsewhere = false;
    for (let attempt = 0; ; attempt++) {
      const choice = known === null ? first : choose(tiers, asked, keysOf(known.record), facts);
      if (unrecorded.has(run)) return unrecordedAnswer(choice, known?.record ?? null);
      const fresh = exposuresOf(choice.fitting, { tenantId, runId }, coinKey);
      if (fresh.length === 0) return answer(choice, known?.record ?? null, []);
      const record: RunRecord = {
        ...{ tenantId, runId, agentId: known?.record.agentId ?? asked.agentId },
        exposures: [...(known?.record.exposures ?? []), ...fresh],
        omitted: mergedOmissions(known?.record.omitted ?? [], choice.omitted),
      };
      const left = deadline - performance.now();
      const isLate = attempt >= mostAttempts || left < leastWaitMs;
      const isOld = known?.isRead === false;
      const outcome = isLate
        ? "unknown"
        : isOld
          ? "outpaced"
          : await recorder.append(record, known?.sequence ?? 0, left);
      if (outcome === "lost" && !isElsewhere) return giveUp(choice, run, known?.record ?? null);
      // It may be on record, here or by another replica, so what the coin holds out stays held out.
      if (outcome === "unknown" || outcome === "lost") {
        return { ...answer(choice, known?.record ?? null, fresh), recorded: false };
      }
      if (outcome !== "outpaced") {
        const kept: RunRecord = { ...record, omitted: [] };
        records.set(run, { record: kept, sequence: outcome.sequence, isRead: false });
        return answer(choice, known?.record ?? null, fresh);
      }
      isElsewhere = true;
      try {
        const leftMs = deadline - performance.now();
        const late = () => new Error(`not within ${Math.round(leftMs)} ms`);
        const read = await withTimeout(recorder.read(tenantId, runId), leftMs, late);
        known = read && { ...read, isRead: true };
      } catch (error) {
        log.debug({ err: error }, "the record of a run cannot be read");
        return { ...answer(choice, known?.record ?? null, fresh), recorded: false };
      }
      if (known !== null) records.set(run, known);
    }
  }

  return async ({ tenantId, runId, asked }) => {
    const choices = prepared(tenantId, memory.concerning(tenantId, asked.agentId), asked);
    if (runId === undefined) return answerWithoutRun(choices);
    return await recallInRun({ tenantId, asked }, runId, choices);
  };
}

function keysOf({ exposures }: RunRecord): ReadonlySet<string> {
  return new Set(exposures.map(({ lessonKey }) => lessonKey));
}

/** What is on record of a run so far, and what comes to it now, as its agent is told. */
function standing(
  before: readonly Exposure[],
  choice: Choice,
  fresh: readonly Exposure[] = [],
): Pick<RecallAnswer, "already" | "omitted"> {
  const already = before.filter((one) => one.attached).map(({ lessonKey }) => lessonKey);
  const held = [...before, ...fresh].filter((one) => !one.attached);
  const omitted: Omitted[] = [
    ...already.map((lessonKey) => ({ lessonKey, why: "already" as const })),
    ...held.map(({ lessonKey }) => ({ lessonKey, why: "held_out" as const })),
    ...choice.omitted,
  ];
  return { already, omitted };
}

function mergedOmissions(before: readonly Omitted[], now: readonly Omitted[]): Omitted[] {
  const known = new Set(before.map(({ lessonKey }) => lessonKey));
  return [...before, ...now.filter(({ lessonKey }) => !known.has(lessonKey))];
}
