import { hash } from "node:crypto";
import type { ExperienceEvent } from "../extractor/event.ts";
import { type CountBy, windowIndex } from "../extractor/evidence.ts";
import type { Rule } from "../extractor/rules/index.ts";
import { servedBy } from "../extractor/signature.ts";
import { cachedSubject } from "../extractor/subjects.ts";
import { nameOf } from "../extractor/successes.ts";
import { fleetSubject } from "./fleet.ts";

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
  const tallies = new Map<string, Tally>();
  const seen = new Map<string, RunTally>();
  for (const run of runsFrom(events, settings.countBy)) {
    noteSeen(run, windows, seen, settings.windowMs);
    for (const [i, step] of run.steps.entries()) {
      const window = windowIndex(step.ts, settings.windowMs);
      if (!windows.has(window)) continue;
      for (const rule of rules) {
        const signals = rule.signature(step);
        if (signals === null) continue;
        const subject = cachedSubject(rule, step, signals);
        const fleet = fleetSubject(rule, step, signals);
        for (const one of fleet === null ? [subject] : [subject, fleet]) {
          const key = `${one.lessonKey} ${window}`;
          const tally = tallies.get(key) ?? newTally(one.lessonKey, window, one);
          tallies.set(key, tally);
          noteFailure(tally, run, i, rule, settings.recoveryMs);
        }
      }
    }
  }
  const runsSeen = seenBy(seen.values());
  return {
    signatures: [...tallies.values()].map((tally) => signatureWindow(tally, runsSeen, settings)),
    runs: [...seen.values()].map(({ runs, ...rest }) => ({ ...rest, ...countedRuns(runs) })),
  };
}

/** What counts as one, with all its events by time. */
interface Run {
  /** Null: an event without a run, which counts for itself. */
  readonly runId: string | null;
  readonly steps: readonly ExperienceEvent[];
}

function runsFrom(events: Iterable<ExperienceEvent>, countBy: CountBy): Run[] {
  const runs = new Map<string, Map<string, ExperienceEvent>>();
  for (const event of events) {
    const { tenantId, agentId, eventId, runId, ts } = event;
    const isCounted = countBy === "run" && runId !== undefined;
    const key = isCounted ? `${tenantId}\0run\0${runId}` : `${tenantId}\0${agentId}\0${eventId}`;
    const steps = runs.get(key) ?? new Map();
    runs.set(key, steps.set(`${agentId}\0${eventId}\0${ts}`, event));
  }
  return [...runs.values()].map((found) => {
    const steps = [...found.values()].sort(byTime);
    const [first] = steps;
    return { runId: countBy === "run" ? (first?.runId ?? null) : null, steps };
  });
}

function byTime(a: ExperienceEvent, b: ExperienceEvent): number {
  if (a.ts !== b.ts) return a.ts - b.ts;
  return a.eventId < b.eventId ? -1 : a.eventId > b.eventId ? 1 : 0;
}

/** Which runs there were, and how many events that count for themselves. */
interface Runs {
  readonly ids: Set<string>;
  single: number;
}

interface RunTally {
  readonly tenantId: string;
  readonly agentId: string;
  readonly taskType: string;
  readonly windowStart: number;
  readonly runs: Runs;
}

const noRuns = (): Runs => ({ ids: new Set(), single: 0 });

function noteRun(runs: Runs, run: Run): void {
  if (run.runId === null) runs.single += 1;
  else runs.ids.add(run.runId);
}

function countedRuns({ ids, single }: Runs) {
  return { runHashes: [...ids].map(runHash).sort((a, b) => a - b), singleEvents: single };
}

/** 52 bits: exact as a number here and in PostgreSQL. */
function runHash(runId: string): number {
  return Number.parseInt(hash("sha256", runId, "hex").slice(0, 13), 16);
}

function noteSeen(
  run: Run,
  windows: ReadonlySet<number>,
  seen: Map<string, RunTally>,
  windowMs: number,
): void {
  const noted = new Set<string>();
  for (const { tenantId, agentId, taskType, ts } of run.steps) {
    const window = windowIndex(ts, windowMs);
    const key = `${window}\0${tenantId}\0${agentId}\0${taskType}`;
    if (!windows.has(window) || noted.has(key)) continue;
    noted.add(key);
    const windowStart = window * windowMs;
    const tally = seen.get(key) ?? { tenantId, agentId, taskType, windowStart, runs: noRuns() };
    seen.set(key, tally);
    noteRun(tally.runs, run);
  }
}

interface Tally {
  readonly lessonKey: string;
  readonly window: number;
  readonly of: { readonly tenantId: string; readonly agentId: string; readonly taskType: string };
  readonly scope: "agent" | "fleet";
  readonly events: Set<string>;
  readonly runs: Runs;
  readonly failed: Set<Run>;
  readonly agents: Set<string>;
  readonly between: Map<string, number>;
  recovered: number;
  unchangedRetries: number;
  nextSteps: number;
  nextWorked: number;
  firstAt: number;
  lastAt: number;
}

function newTally(
  lessonKey: string,
  window: number,
  { scope, ...of }: Tally["of"] & Pick<Tally, "scope">,
): Tally {
  return {
    ...{ lessonKey, window, scope, of, events: new Set(), runs: noRuns(), failed: new Set() },
    ...{ agents: new Set(), between: new Map(), recovered: 0 },
    ...{ unchangedRetries: 0, nextSteps: 0, nextWorked: 0 },
    ...{ firstAt: Number.POSITIVE_INFINITY, lastAt: Number.NEGATIVE_INFINITY },
  };
}

function noteFailure(tally: Tally, run: Run, at: number, rule: Rule, recoveryMs: number): void {
  const step = run.steps[at];
  if (step === undefined) return;
  tally.events.add(`${step.agentId}\0${run.runId ?? ""}\0${step.eventId}`);
  tally.agents.add(step.agentId);
  tally.firstAt = Math.min(tally.firstAt, step.ts);
  tally.lastAt = Math.max(tally.lastAt, step.ts);
  const next = run.steps[at + 1];
  if (next && isSame(next, step) && failsAlike(rule, next, step)) tally.unchangedRetries += 1;
  if (next && next.ts <= step.ts + recoveryMs) {
    tally.nextSteps += 1;
    if (next.ok && rule.signature(next) === null) tally.nextWorked += 1;
  }
  if (tally.failed.has(run)) return;
  tally.failed.add(run);
  noteRun(tally.runs, run);
  const success = run.steps.findIndex(
    (later, i) => i > at && isSame(later, step) && later.ok && rule.signature(later) === null,
  );
  const recovery = run.steps[success];
  if (recovery === undefined || recovery.ts > step.ts + recoveryMs) return;
  tally.recovered += 1;
  const own = nameOf(servedBy(step));
  const tools = run.steps.slice(at + 1, success).flatMap(({ tool }) => tool ?? []);
  for (const tool of new Set(tools.filter((name) => name !== own))) {
    tally.between.set(tool, (tally.between.get(tool) ?? 0) + 1);
  }
}

function failsAlike(rule: Rule, one: ExperienceEvent, other: ExperienceEvent): boolean {
  return JSON.stringify(rule.signature(one)) === JSON.stringify(rule.signature(other));
}

/** The same tool, or the same model where neither called a tool. */
function isSame(one: ExperienceEvent, other: ExperienceEvent): boolean {
  return nameOf(servedBy(one)) === nameOf(servedBy(other));
}

/** How many runs there were, of one agent and task in one window, and of all of the tenant's together. */
function seenBy(tallies: Iterable<RunTally>): (tally: Tally, windowStart: number) => number {
  const byKey = new Map<string, Runs>();
  for (const { windowStart, tenantId, agentId, taskType, runs } of tallies) {
    for (const key of [
      `${windowStart}\0${tenantId}\0${agentId}\0${taskType}`,
      `${windowStart}\0${tenantId}`,
    ]) {
      const all = byKey.get(key) ?? noRuns();
      byKey.set(key, all);
      for (const id of runs.ids) all.ids.add(id);
      all.single += runs.single;
    }
  }
  return ({ scope, of: { tenantId, agentId, taskType } }, windowStart) => {
    const key = `${windowStart}\0${tenantId}`;
    const found = byKey.get(scope === "fleet" ? key : `${key}\0${agentId}\0${taskType}`);
    return found === undefined ? 0 : found.ids.size + found.single;
  };
}

function signatureWindow(
  tally: Tally,
  runsSeen: ReturnType<typeof seenBy>,
  { windowMs }: CountSettings,
): SignatureWindow {
  const windowStart = tally.window * windowMs;
  return {
    lessonKey: tally.lessonKey,
    windowStart,
    events: tally.events.size,
    ...countedRuns(tally.runs),
    runsSeen: runsSeen(tally, windowStart),
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
