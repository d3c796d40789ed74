import { hash } from "node:crypto";
import type { ExperienceEvent } from "../extractor/event.ts";
import { type CountBy, windowIndex } from "../extractor/evidence.ts";
import type { Rule } from "../extractor/rules/index.ts";
import { holdEvents, type Owner, type Run, type Step } from "./held.ts";

/** How big one signature was in one window. */
export interface SignatureWindow {
  readonly lessonKey: string;
  /** Epoch ms. */
  readonly windowStart: number;
  /** Distinct events that are evidence. */
  readonly events: number;
  /** Of the runs that failed so, those with an id. */
  readonly runHashes: readonly number[];
  /** Failed events without a run, each of which counts for itself. */
  readonly singleEvents: number;
  /** Runs of the same agent and task (of the tenant, for a fleet) with any event in the window. */
  readonly runsSeen: number;
  readonly agents: number;
  /** Runs in which the same tool or model succeeded within the time for recovery after the first failure. */
  readonly runsRecovered: number;
  /** Tool → number of recovered runs that called it between the failure and that success. */
  readonly between: Readonly<Record<string, number>>;
  /** Failures whose run called the same again at once, and failed in the same way. */
  readonly unchangedRetries: number;
  /** Failures after which the run went on within the time for recovery, and how often that next step worked. */
  readonly nextSteps: number;
  readonly nextWorked: number;
  /** Event times, epoch ms. */
  readonly firstAt: number;
  readonly lastAt: number;
}

/** The runs of one agent and task in one window. */
export interface RunWindow {
  readonly tenantId: string;
  readonly agentId: string;
  readonly taskType: string;
  readonly windowStart: number;
  readonly runHashes: readonly number[];
  readonly singleEvents: number;
}

export interface Counted {
  readonly signatures: readonly SignatureWindow[];
  readonly runs: readonly RunWindow[];
}

export interface CountSettings {
  readonly windowMs: number;
  readonly recoveryMs: number;
  readonly countBy: CountBy;
}

/**
 * Counts windows from all events in them and in the time for recovery that follows: a pure function of
 * the set of events, in whatever order and however often they come.
 */
export function countWindows(
  events: Iterable<ExperienceEvent>,
  windows: ReadonlySet<number>,
  rules: readonly Rule[],
  settings: CountSettings,
): Counted {
  const held = holdEvents(rules, settings.countBy);
  for (const event of events) held.add(event);
  const counting = countRuns(held.runs(), windows, settings);
  for (;;) {
    const { done, value } = counting.next();
    if (done) return value;
  }
}

/** So many steps, and others get their turn. */
const stepsAtOnce = 2_000;

/** The same of runs; yields now and then, so that other work gets its turn while many are counted. */
export function* countRuns(
  runs: Iterable<Run>,
  windows: ReadonlySet<number>,
  settings: CountSettings,
): Generator<undefined, Counted> {
  const { windowMs, recoveryMs } = settings;
  const tallies = new Map<string, Tally>();
  const seen: Seen = new Map();
  let steps = 0;
  for (const run of runs) {
    const counted: CountedRun = { runId: run.runId };
    noteSeen(run, counted, windows, seen, windowMs);
    for (const [i, step] of run.steps.entries()) {
      const { owner, evidence } = step.kind;
      if (evidence.length === 0) continue;
      const window = windowIndex(step.ts, windowMs);
      if (!windows.has(window)) continue;
      for (const { rule, subjects } of evidence) {
        for (const { lessonKey, scope } of subjects) {
          const key = `${lessonKey} ${window}`;
          const tally = tallies.get(key) ?? newTally(lessonKey, window, scope, owner);
          tallies.set(key, tally);
          noteFailure(tally, run, counted, i, rule, recoveryMs);
        }
      }
    }
    steps += run.steps.length;
    if (steps < stepsAtOnce) continue;
    steps = 0;
    yield;
  }
  const runsSeen = seenBy(seen);
  return {
    signatures: [...tallies.values()].map((tally) => signatureWindow(tally, runsSeen, windowMs)),
    runs: [...seen].flatMap(([window, owners]) =>
      [...owners].map(([owner, tally]) => ({
        ...{ ...owner, windowStart: window * windowMs },
        ...countedRuns(tally),
      })),
    ),
  };
}

/** A run, wherever it is counted. */
interface CountedRun {
  readonly runId: string | null;
  hash?: number;
}

/** Which runs there were, and how many events that count for themselves. */
interface Runs {
  readonly runs: Set<CountedRun>;
  single: number;
}

/** By window and owner. */
type Seen = Map<number, Map<Owner, Runs>>;

const noRuns = (): Runs => ({ runs: new Set(), single: 0 });

function noteRun(runs: Runs, run: CountedRun): void {
  if (run.runId === null) runs.single += 1;
  else runs.runs.add(run);
}

function countedRuns({ runs, single }: Runs) {
  return { runHashes: [...runs].map(runHash).sort((a, b) => a - b), singleEvents: single };
}

/** 52 bits: exact as a number here and in PostgreSQL. */
function runHash(run: CountedRun): number {
  run.hash ??= Number.parseInt(hash("sha256", run.runId ?? "", "hex").slice(0, 13), 16);
  return run.hash;
}

function noteSeen(
  run: Run,
  counted: CountedRun,
  windows: ReadonlySet<number>,
  seen: Seen,
  windowMs: number,
): void {
  // An event that counts for itself may bear several times, and does so once in a window.
  const single = new Set<Runs>();
  for (const { ts, kind } of run.steps) {
    const window = windowIndex(ts, windowMs);
    if (!windows.has(window)) continue;
    const owners = seen.get(window) ?? new Map<Owner, Runs>();
    seen.set(window, owners);
    const runs = owners.get(kind.owner) ?? noRuns();
    owners.set(kind.owner, runs);
    if (counted.runId !== null) runs.runs.add(counted);
    else single.add(runs);
  }
  for (const runs of single) runs.single += 1;
}

interface Tally {
  readonly lessonKey: string;
  readonly window: number;
  readonly owner: Owner;
  readonly scope: "agent" | "fleet";
  readonly events: Set<string>;
  readonly runs: Runs;
  readonly failed: Set<CountedRun>;
  readonly agents: Set<string>;
  readonly between: Map<string, number>;
  recovered: number;
  unchangedRetries: number;
  nextSteps: number;
  nextWorked: number;
  firstAt: number;
  lastAt: number;
}

function newTally(lessonKey: string, window: number, scope: Tally["scope"], owner: Owner): Tally {
  return {
    ...{ lessonKey, window, scope, owner, events: new Set(), runs: noRuns(), failed: new Set() },
    ...{ agents: new Set(), between: new Map(), recovered: 0 },
    ...{ unchangedRetries: 0, nextSteps: 0, nextWorked: 0 },
    ...{ firstAt: Number.POSITIVE_INFINITY, lastAt: Number.NEGATIVE_INFINITY },
  };
}

function noteFailure(
  tally: Tally,
  run: Run,
  counted: CountedRun,
  at: number,
  rule: Rule,
  recoveryMs: number,
): void {
  const step = run.steps[at];
  if (step === undefined) return;
  const { agentId } = step.kind.owner;
  tally.events.add(`${agentId}\0${run.runId ?? ""}\0${step.eventId}`);
  tally.agents.add(agentId);
  tally.firstAt = Math.min(tally.firstAt, step.ts);
  tally.lastAt = Math.max(tally.lastAt, step.ts);
  const next = run.steps[at + 1];
  if (next && isSame(next, step) && failsAlike(rule, next, step)) tally.unchangedRetries += 1;
  if (next && next.ts <= step.ts + recoveryMs) {
    tally.nextSteps += 1;
    if (works(next, rule)) tally.nextWorked += 1;
  }
  if (tally.failed.has(counted)) return;
  tally.failed.add(counted);
  noteRun(tally.runs, counted);
  const success = successAfter(run.steps, at, rule, recoveryMs);
  if (success === -1) return;
  tally.recovered += 1;
  const tools = run.steps.slice(at + 1, success).flatMap(({ kind }) => kind.tool ?? []);
  for (const tool of new Set(tools.filter((name) => name !== step.kind.name))) {
    tally.between.set(tool, (tally.between.get(tool) ?? 0) + 1);
  }
}

/** Where the same worked within the time for recovery; -1: nowhere. */
function successAfter(steps: Run["steps"], at: number, rule: Rule, recoveryMs: number): number {
  const failed = steps[at] as Step;
  for (let i = at + 1; i < steps.length; i += 1) {
    const later = steps[i] as Step;
    if (later.ts > failed.ts + recoveryMs) return -1;
    if (isSame(later, failed) && works(later, rule)) return i;
  }
  return -1;
}

const works = ({ kind }: Step, rule: Rule) => kind.ok && signatureOf(kind, rule) === undefined;

function signatureOf({ evidence }: Step["kind"], rule: Rule): string | undefined {
  return evidence.find((one) => one.rule === rule)?.text;
}

function failsAlike(rule: Rule, one: Step, other: Step): boolean {
  return signatureOf(one.kind, rule) === signatureOf(other.kind, rule);
}

/** The same tool, or the same model where neither called a tool. */
function isSame(one: Step, other: Step): boolean {
  return one.kind.name === other.kind.name;
}

/** How many runs there were, of one agent and task in one window, and of all of the tenant's together. */
function seenBy(seen: Seen): (tally: Tally) => number {
  const tenants = new Map<string, Runs>();
  for (const [window, owners] of seen) {
    for (const [{ tenantId }, { runs, single }] of owners) {
      const key = `${window} ${tenantId}`;
      const all = tenants.get(key) ?? noRuns();
      tenants.set(key, all);
      for (const run of runs) all.runs.add(run);
      all.single += single;
    }
  }
  return ({ scope, window, owner }) => {
    const found =
      scope === "fleet" ? tenants.get(`${window} ${owner.tenantId}`) : seen.get(window)?.get(owner);
    return found === undefined ? 0 : found.runs.size + found.single;
  };
}

function signatureWindow(
  tally: Tally,
  runsSeen: ReturnType<typeof seenBy>,
  windowMs: number,
): SignatureWindow {
  return {
    lessonKey: tally.lessonKey,
    windowStart: tally.window * windowMs,
    events: tally.events.size,
    ...countedRuns(tally.runs),
    runsSeen: runsSeen(tally),
    agents: tally.agents.size,
    runsRecovered: tally.recovered,
    between: Object.fromEntries([...tally.between].sort(([a], [b]) => (a < b ? -1 : 1))),
    unchangedRetries: tally.unchangedRetries,
    nextSteps: tally.nextSteps,
    nextWorked: tally.nextWorked,
    firstAt: tally.firstAt,
    lastAt: tally.lastAt,
  };
}
