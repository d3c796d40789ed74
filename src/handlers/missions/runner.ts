import { isOutage, isRefusal } from "../../errors.ts";
import type { Logger } from "../../log.ts";
import { agentKeyOf, choose, type Loads } from "./choosing.ts";
import type { Claim, DueMission, Refused } from "./claim.ts";
import type { Claims, DuePage } from "./claims.ts";
import { type Decision, decisions } from "./gates.ts";
import type { MissionMetrics } from "./metrics.ts";
import type { Work } from "./work.ts";

/** What a tick has decided so far. */
export interface TickCounts {
  /** Missions that were due and free. */
  due: number;
  /** Claimed for a plan, those without an agent included. */
  started: number;
  readonly decisions: Record<Decision, number>;
}

export interface Runner {
  /** Looks for what is due and starts it; resolves when each mission is decided about. Rejects in an outage. */
  tick(signal: AbortSignal): Promise<void>;
  /** The same at once, after a tick under way; resolves after a few seconds at the latest. */
  request(): Promise<TickCounts & { readonly finished: boolean }>;
  /** Ends plans that are being made: their missions are free at once. */
  stop(): Promise<void>;
}

export interface RunnerOptions {
  readonly claims: Pick<Claims, "due" | "claim">;
  readonly work: Work;
  readonly metrics: Pick<MissionMetrics, "ticks" | "tickDuration" | "agentDecisions">;
  readonly log: Logger;
  readonly onFatal: (error: unknown) => void;
  readonly holder: string;
  readonly claimSeconds: number;
  readonly tickMs: number;
  /** Plans at once. */
  readonly parallel: number;
}

/** What a busy minute brings is one query. */
const pageSize = 2_000;
/** A request for a tick is answered after so long. */
const patienceMs = 3_000;

export function openRunner(options: RunnerOptions): Runner {
  const { metrics, log, onFatal, tickMs } = options;
  const stopping = new AbortController();
  const plans = openPlans(options, stopping.signal);
  let last: Promise<unknown> = Promise.resolve();

  /** One at a time. */
  function enqueue(signal: AbortSignal, counts: TickCounts): Promise<void> {
    const run = async () => {
      const endTick = metrics.tickDuration.startTimer();
      metrics.ticks.inc();
      const until = performance.now() + tickMs;
      const isOver = () => signal.aborted || stopping.signal.aborted || performance.now() > until;
      await runTick(options, plans, counts, isOver, signal);
      endTick();
      if (counts.due > 0) log.info({ ...counts }, "missions looked for");
    };
    const mine = last.then(run);
    last = mine.then(
      () => undefined,
      () => undefined,
    );
    return mine;
  }

  return {
    tick: (signal) => enqueue(signal, noCounts()),

    async request() {
      const counts = noCounts();
      let finished = false;
      const work = enqueue(stopping.signal, counts).then(() => {
        finished = true;
      });
      const late = new Promise<void>((resolve) => setTimeout(resolve, patienceMs).unref());
      work.catch((error: unknown) => {
        if (isOutage(error) || isRefusal(error)) log.warn({ err: error }, "a tick has to wait");
        else onFatal(error);
      });
      await Promise.race([work, late]);
      return { ...counts, decisions: { ...counts.decisions }, finished };
    },

    async stop() {
      stopping.abort();
      await plans.ended();
    },
  };
}

function noCounts(): TickCounts {
  const zeros = decisions.map((decision) => [decision, 0]);
  return { due: 0, started: 0, decisions: Object.fromEntries(zeros) as Record<Decision, number> };
}

/** What this replica is planning right now. */
interface Plans {
  readonly size: number;
  /** `work` is told to end by a signal. */
  start(mission: DueMission, work: (signal: AbortSignal) => Promise<void>): void;
  /** Resolves when one has ended since `agentsFreed` was asked, none runs, or `signal` aborts. */
  one(signal: AbortSignal): Promise<void>;
  /** The agents, by `agentKey`, of which a plan has ended since this was asked last. */
  agentsFreed(): Set<string>;
  ended(): Promise<void>;
}

function openPlans({ onFatal }: Pick<RunnerOptions, "onFatal">, stop: AbortSignal): Plans {
  const running = new Set<Promise<void>>();
  let freed = new Set<string>();
  return {
    get size() {
      return running.size;
    },
    start(mission, work) {
      const one = work(stop)
        .catch(onFatal)
        .finally(() => {
          running.delete(one);
          const key = agentKeyOf(mission);
          if (key !== null) freed.add(key);
        });
      running.add(one);
    },
    async one(signal) {
      const any = AbortSignal.any([signal, stop]);
      if (any.aborted || running.size === 0) return;
      const over = new AbortController();
      const aborted = new Promise<void>((resolve) =>
        any.addEventListener("abort", () => resolve(), { signal: over.signal }),
      );
      await Promise.race([...running, aborted]);
      over.abort();
    },
    agentsFreed() {
      const since = freed;
      freed = new Set();
      return since;
    },
    async ended() {
      await Promise.all(running);
    },
  };
}

/**
 * Decides about each mission that is due. One that its agent has no room for is decided about again when something of
 * that agent has ended here, as long as this tick lasts; then the next tick looks again.
 */
async function runTick(
  options: RunnerOptions,
  plans: Plans,
  counts: TickCounts,
  isOver: () => boolean,
  signal: AbortSignal,
): Promise<void> {
  const { claims, metrics } = options;
  const count = (decision: Decision) => {
    counts.decisions[decision] += 1;
    metrics.agentDecisions.inc({ decision });
  };
  const loads: Loads = new Map();
  let waiting: DueMission[] = [];

  /** Adds to `waiting` those that wait for their agent. Resolves to what is left when the tick is over. */
  const consider = async (missions: readonly DueMission[]): Promise<readonly DueMission[]> => {
    let left = missions;
    while (left.length > 0) {
      while (plans.size >= options.parallel && !isOver()) await plans.one(signal);
      if (isOver()) break;
      const { outcomes, rest } = await startSome(left, loads, options, plans);
      for (const [mission, outcome] of outcomes) {
        if (outcome === "started" || outcome === "ran") counts.started += 1;
        if (outcome === "skipped-concurrency") waiting.push(mission);
        else if (outcome !== "started" && outcome !== "gone") count(outcome);
      }
      left = rest;
    }
    return left;
  };

  let page: DuePage;
  let after: DueMission | null = null;
  do {
    page = await claims.due(after, pageSize);
    counts.due += page.missions.length;
    for (const [key, known] of page.agents) loads.set(key, { ...known });
    after = page.missions.at(-1) ?? null;
    await consider(fromSomewhere(page.missions));
  } while (page.missions.length === pageSize && !isOver());

  for (;;) {
    for (const key of plans.agentsFreed()) {
      const load = loads.get(key);
      // How many run on other replicas is not known: the claim will tell.
      if (load) loads.set(key, { ...load, running: 0 });
    }
    const again = waiting;
    waiting = [];
    waiting.push(...(await consider(again)));
    if (waiting.length === 0 || plans.size === 0 || isOver()) break;
    await plans.one(signal);
  }
  for (const _ of waiting) count("skipped-concurrency");
}

/** Replicas that look at the same moment do not go through the same list in step. */
function fromSomewhere<T>(list: readonly T[]): T[] {
  const at = Math.floor(Math.random() * list.length);
  return [...list.slice(at), ...list.slice(0, at)];
}

/** `started`: a mission without an agent, about which nothing is decided; `gone`: it is another replica's. */
type Outcome = Decision | "started" | "gone";

/** Decides about the first of these missions, and claims together those that may run, as many as there is room for. */
async function startSome(
  missions: readonly DueMission[],
  loads: Loads,
  options: RunnerOptions,
  plans: Plans,
): Promise<{
  readonly outcomes: readonly (readonly [DueMission, Outcome])[];
  readonly rest: readonly DueMission[];
}> {
  const { claims, work, holder, claimSeconds, parallel } = options;
  const { heldBack, wanted, rest } = choose(missions, loads, parallel - plans.size);
  if (wanted.length === 0) return { outcomes: heldBack, rest };
  const claimedAt = performance.now();
  const claimed = await claims.claim(wanted, { holder, claimSeconds });
  const outcomes = wanted.map(({ mission }, i) => {
    const claim = claimed[i] ?? "gone";
    note(mission, claim, loads);
    if (typeof claim === "string") return [mission, refusals[claim]] as const;
    plans.start(mission, (signal) => work(claim, claimedAt, signal));
    if (claim.isDone) return [mission, "gone"] as const;
    return [mission, mission.agentId === null ? "started" : "ran"] as const;
  });
  return { outcomes: [...heldBack, ...outcomes], rest };
}

const refusals = {
  gone: "gone",
  budget: "skipped-budget",
  concurrency: "skipped-concurrency",
} as const satisfies Record<Refused, Outcome>;

/** What a claim tells of its agent. */
function note(mission: DueMission, claim: Claim | Refused, loads: Loads): void {
  const key = agentKeyOf(mission);
  const load = key === null ? undefined : loads.get(key);
  if (!key || !load || claim === "gone" || claim === "budget") return;
  const running = claim === "concurrency" ? load.agent.maxConcurrentMissions : load.running + 1;
  loads.set(key, { ...load, running });
}
