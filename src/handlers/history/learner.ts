import type { ExperienceEvent } from "../extractor/event.ts";
import type { Rule } from "../extractor/rules/index.ts";
import { lessonKey, type Scope, type Signals } from "../extractor/signature.ts";
import { signatureText } from "../extractor/subjects.ts";
import { fleetOwner, fleetSignals } from "../windows/fleet.ts";
import type { WideSettings } from "../windows/wide.ts";
import { type FirstWindow, type Fold, type FoldLimits, fold, newFold } from "./fold.ts";

export interface LearnerSettings extends Omit<WideSettings, "okSamplePercent"> {
  /** Whether there are lessons of fleets, and of slow failures. */
  readonly finds: { readonly fleet: boolean; readonly slow: boolean };
}

/** Everything of one signature that was found in the events so far. */
export interface Signature {
  readonly rule: Rule;
  readonly scope: Scope;
  readonly tenantId: string;
  readonly agentId: string;
  readonly taskType: string;
  readonly signals: Signals;
  /** Of the short windows; its sightings are the lesson's. */
  readonly short: Fold;
  /** Of the window for slow failures; null: not looked for, or no longer needed. */
  slow: Fold | null;
  lesson: LearnedLesson | null;
  /** Events that are evidence. */
  events: number;
  /** Event time of the one that came first. */
  readonly cameFirstTs: number;
}

export interface LearnedLesson extends FirstWindow {
  readonly lessonKey: string;
  readonly window: "fast" | "slow";
  readonly sequence: number;
  readonly mayBeLate: boolean;
  /** How many events of the signature had come until then. */
  readonly events: number;
  /** The signature showed itself again within 24 hours after the window. */
  recurred: boolean;
}

/** So soon after its first window a lesson would have been needed again. */
export const recurrenceMs = 24 * 3_600_000;

/** When the window that made a lesson is over, epoch ms. */
export function firstWindowEnd({ firstTs, lastTs }: FirstWindow, windowMs: number): number {
  return Math.max(firstTs + windowMs, lastTs);
}

/**
 * What a set of events leads to, found as they come: the same as the references say, in memory that grows with the number
 * of signatures and of their sightings, not with that of events.
 */
export function createLearner(rules: readonly Rule[], settings: LearnerSettings) {
  const { windowMs, slowWindowMs, slowRuns, fleetAgents, countBy, finds } = settings;
  const signatures = new Map<string, Signature>();

  function signatureOf(rule: Rule, owner: Owner, signals: Signals, scope: Scope, ts: number) {
    const text = signatureText(rule, owner, signals, scope);
    const known = signatures.get(text);
    if (known !== undefined) return known;
    const { tenantId, agentId, taskType } = owner;
    const made: Signature = {
      ...{ rule, scope, tenantId, agentId, taskType, signals },
      ...{ short: newFold(), slow: finds.slow ? newFold() : null },
      ...{ lesson: null, events: 0, cameFirstTs: ts },
    };
    signatures.set(text, made);
    return made;
  }

  function add(signature: Signature, event: ExperienceEvent, sequence: number): void {
    const { rule, scope, short, slow } = signature;
    const isFleet = scope === "fleet";
    const { ts, eventId, runId } = event;
    const counted =
      countBy === "run" && runId !== undefined
        ? `run\0${runId}`
        : `event\0${isFleet ? event.agentId : ""}\0${eventId}`;
    const occurrence = { counted, agentId: isFleet ? event.agentId : "", ts, sequence };
    const agents = isFleet ? fleetAgents : 1;
    signature.events += 1;
    noteRecurrence(signature, ts, windowMs);
    fold(short, occurrence, { threshold: rule.threshold, windowMs, agents });
    if (slow !== null) fold(slow, occurrence, slowLimits(agents));
    if (signature.lesson === null) learn(signature);
  }

  function slowLimits(agents: number): FoldLimits {
    return { threshold: slowRuns, windowMs: slowWindowMs, agents };
  }

  /** One lesson a signature, whichever window finds it first. */
  function learn(signature: Signature): void {
    const { short, slow, rule, signals, scope, events } = signature;
    const found = short.lesson ?? slow?.lesson ?? null;
    if (found === null) return;
    signature.lesson = {
      ...found,
      ...{ lessonKey: lessonKey(rule, signature, signals, scope), events, recurred: false },
      window: short.lesson === null ? "slow" : "fast",
    };
    signature.slow = null;
    const end = firstWindowEnd(found, windowMs);
    // What came late, or in another order, may have been there before.
    for (const seen of short.open.values()) {
      for (const { first, last } of seen) {
        if (isWithin(first, end) || isWithin(last, end)) signature.lesson.recurred = true;
      }
    }
  }

  return {
    /** `sequence`: of its message. */
    take(event: ExperienceEvent, sequence: number): void {
      for (const rule of rules) {
        const signals = rule.signature(event);
        if (signals === null) continue;
        add(signatureOf(rule, event, signals, "agent", event.ts), event, sequence);
        const ofFleet = finds.fleet ? fleetSignals(signals) : null;
        if (ofFleet === null) continue;
        add(signatureOf(rule, fleetOwner(event), ofFleet, "fleet", event.ts), event, sequence);
      }
    },
    /** Each signature that was seen, lesson or not. */
    signatures: (): Iterable<Signature> => signatures.values(),
    get size() {
      return signatures.size;
    },
  };
}

export type Learner = ReturnType<typeof createLearner>;

type Owner = Pick<ExperienceEvent, "tenantId" | "agentId" | "taskType">;

const isWithin = (ts: number, end: number) => ts > end && ts <= end + recurrenceMs;

function noteRecurrence({ lesson }: Signature, ts: number, windowMs: number): void {
  if (lesson === null || lesson.recurred) return;
  if (isWithin(ts, firstWindowEnd(lesson, windowMs))) lesson.recurred = true;
}
