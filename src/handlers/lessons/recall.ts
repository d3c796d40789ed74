import { LRUCache } from "lru-cache";
import type { Logger } from "../../log.ts";
import { withTimeout } from "../../runtime/timeout.ts";
import { blockOf } from "./block.ts";
import { type Asked, type Choice, choose, linesOf, type Omitted } from "./choice.ts";
import { coinKeyOf } from "./coin.ts";
import { type Exposure, exposuresOf, type RunRecord, type ToldBefore } from "./exposure.ts";
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

export interface RecallOptions {
  readonly memory: Pick<LessonMemory, "concerning">;
  readonly recorder: Recorder;
  readonly facts: Facts;
  readonly coinKey: string;
  readonly log: Logger;
}

/** What answers rest on, beside the lessons. */
interface Recalls {
  readonly recorder: Recorder;
  readonly facts: Facts;
  readonly coinKey: ReturnType<typeof coinKeyOf>;
  readonly log: Logger;
  /** What this replica knows of the records of runs: what it stored, or read. */
  readonly records: LRUCache<string, StoredRecord>;
  /** Runs that were given lessons that are not on record: a coin that came later would tell nothing. */
  readonly unrecorded: LRUCache<string, true>;
  /** Kept for as long as their choices are. */
  readonly withoutRun: WeakMap<Choice, RecallAnswer>;
}

export function openRecall(options: RecallOptions): RecallLessons {
  const { memory, recorder, facts, log } = options;
  const prepared = prepareChoices(facts);
  const recalls: Recalls = {
    ...{ recorder, facts, log, coinKey: coinKeyOf(options.coinKey) },
    records: new LRUCache({ max: mostRuns }),
    unrecorded: new LRUCache({ max: mostRuns }),
    withoutRun: new WeakMap(),
  };
  return async ({ tenantId, runId, asked }) => {
    const choices = prepared(tenantId, memory.concerning(tenantId, asked.agentId), asked);
    if (runId === undefined) return answerWithoutRun(choices, recalls);
    return await recallInRun({ tenantId, runId, asked }, choices, recalls);
  };
}

function answer(
  choice: Choice,
  exposed: ToldBefore | null,
  fresh: readonly Exposure[],
  facts: Facts,
): RecallAnswer {
  // The coin was read of each that fits, in this order.
  const lessons = choice.fitting.filter((_, index) => fresh[index]?.attached === true);
  const block = blockOf(linesOf(lessons, facts));
  const before = exposed?.exposures ?? [];
  return { ...standing(before, choice, fresh), lessons, block, recorded: true };
}

/** Everything that fits, without a coin; but what is known to be on record stays as it is there. */
function unrecordedAnswer(choice: Choice, known: ToldBefore | null, facts: Facts): RecallAnswer {
  const { fitting: lessons } = choice;
  const block = blockOf(linesOf(lessons, facts));
  return { ...standing(known?.exposures ?? [], choice), lessons, block, recorded: false };
}

function answerWithoutRun({ choice }: Prepared, { withoutRun, facts }: Recalls): RecallAnswer {
  const found = withoutRun.get(choice) ?? unrecordedAnswer(choice, null, facts);
  withoutRun.set(choice, found);
  return found;
}

async function recallInRun(
  recalling: Recalling & { readonly runId: string },
  { tiers, choice: first }: Prepared,
  recalls: Recalls,
): Promise<RecallAnswer> {
  const { tenantId, runId, asked } = recalling;
  const { recorder, facts, coinKey, records, unrecorded } = recalls;
  const run = JSON.stringify([tenantId, runId]);
  const deadline = performance.now() + recordWithinMs;
  let known = records.get(run) ?? null;
  /** Whether another replica has, or may have, put this run's arms on record. */
  let isElsewhere = false;
  for (let attempt = 0; ; attempt++) {
    const before = known?.record ?? null;
    const choice = before === null ? first : choose(tiers, asked, keysOf(before), facts);
    if (unrecorded.has(run)) return unrecordedAnswer(choice, before, facts);
    const fresh = exposuresOf(choice.fitting, { tenantId, runId }, coinKey);
    if (fresh.length === 0) return answer(choice, before, [], facts);
    const record = continued(before, { tenantId, runId, agentId: asked.agentId }, choice, fresh);
    const left = deadline - performance.now();
    const isLate = attempt >= mostAttempts || left < leastWaitMs;
    const outcome = isLate ? "unknown" : await recorder.append(record, known?.sequence ?? 0, left);
    if (outcome === "lost" && !isElsewhere) {
      unrecorded.set(run, true);
      return unrecordedAnswer(choice, before, facts);
    }
    // It may be on record, here or by another replica, so what the coin holds out stays held out.
    if (outcome === "unknown" || outcome === "lost") {
      return { ...answer(choice, before, fresh, facts), recorded: false };
    }
    if (outcome !== "outpaced") {
      records.set(run, outcome);
      return answer(choice, before, fresh, facts);
    }
    isElsewhere = true;
    const read = await readRecord(tenantId, runId, deadline, recalls);
    if (read === "unknown") return { ...answer(choice, before, fresh, facts), recorded: false };
    known = read;
    if (known !== null) records.set(run, known);
  }
}

/** What is on record of a run; null: nothing is. */
async function readRecord(
  tenantId: string,
  runId: string,
  deadline: number,
  { recorder, log }: Recalls,
): Promise<StoredRecord | null | "unknown"> {
  try {
    const leftMs = deadline - performance.now();
    const late = () => new Error(`not within ${Math.round(leftMs)} ms`);
    return await withTimeout(recorder.read(tenantId, runId), leftMs, late);
  } catch (error) {
    log.debug({ err: error }, "the record of a run cannot be read");
    return "unknown";
  }
}

/** The record of a run with what is told now; it keeps the agent that asked first. */
function continued(
  before: ToldBefore | null,
  who: Pick<RunRecord, "tenantId" | "runId" | "agentId">,
  { omitted }: Choice,
  fresh: readonly Exposure[],
): RunRecord {
  return {
    ...{ ...who, agentId: before?.agentId ?? who.agentId },
    exposures: [...(before?.exposures ?? []), ...fresh],
    omitted,
  };
}

function keysOf({ exposures }: ToldBefore): ReadonlySet<string> {
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
