import type { ExperienceEvent } from "../extractor/event.ts";
import type { CountBy } from "../extractor/evidence.ts";
import type { Subject } from "../extractor/lesson.ts";
import type { Rule } from "../extractor/rules/index.ts";
import { servedBy } from "../extractor/signature.ts";
import { cachedSubject } from "../extractor/subjects.ts";
import { nameOf } from "../extractor/successes.ts";
import { fleetSubject } from "./fleet.ts";

/** What a step is evidence for. */
export interface Evidences {
  readonly rule: Rule;
  /** The signature, to compare. */
  readonly text: string;
  /** The agent's lesson, and the fleet's where there is one. */
  readonly subjects: readonly Subject[];
}

/** Whose steps are counted together. */
export interface Owner {
  readonly tenantId: string;
  readonly agentId: string;
  readonly taskType: string;
}

/** What steps have in common that differ in nothing but their event and time. */
export interface Kind {
  /** One object for each owner. */
  readonly owner: Owner;
  /** Of the tool, or of the model where none was called. */
  readonly name: string;
  readonly tool: string | undefined;
  readonly ok: boolean;
  readonly evidence: readonly Evidences[];
}

/** An event, as far as it is counted. */
export interface Step {
  readonly eventId: string;
  /** Epoch ms. */
  readonly ts: number;
  readonly kind: Kind;
}

/** What counts as one, with all its steps by time, each once. */
export interface Run {
  /** Null: an event without a run, which counts for itself. */
  readonly runId: string | null;
  readonly steps: readonly Step[];
}

/** Events of one run, not in order and perhaps repeated: event, time and kind in turn, for an object each would take twice as much. */
interface HeldRun {
  readonly runId: string | null;
  entries: (string | number | Kind)[];
}

export interface Held {
  add(event: ExperienceEvent): void;
  /** Events held, those that came twice counted twice where they lie far apart. */
  size(): number;
  /** Forgets the events of which the time is not wanted. */
  keepOnly(isWanted: (ts: number) => boolean): void;
  /** Each run made when it is asked for. */
  runs(): Generator<Run>;
}

/** Events in some 180 bytes each, whatever else they say: for as many as possible are counted in one reading of the stream. */
export function holdEvents(rules: readonly Rule[], countBy: CountBy): Held {
  const runs = new Map<string, HeldRun>();
  const kindOf = knownKinds(rules);
  let size = 0;
  return {
    add(event) {
      const { tenantId, agentId, eventId, runId, ts } = event;
      const isCounted = countBy === "run" && runId !== undefined;
      const key = isCounted ? `${tenantId}\0run\0${runId}` : `${tenantId}\0${agentId}\0${eventId}`;
      let run = runs.get(key);
      if (run === undefined) {
        run = { runId: isCounted ? runId : null, entries: [] };
        runs.set(key, run);
      }
      if (addTo(run, eventId, ts, kindOf(event))) size += 1;
    },
    size: () => size,
    keepOnly(isWanted) {
      size = 0;
      for (const [key, run] of runs) {
        run.entries = wantedOf(run.entries, isWanted);
        size += run.entries.length / 3;
        if (run.entries.length === 0) runs.delete(key);
      }
    },
    *runs() {
      for (const run of runs.values()) yield { runId: run.runId, steps: stepsOf(run) };
    },
  };
}

/** What is repeated usually follows soon. */
const lookedBack = 16 * 3;

/** False where the event is there already: the latest reading of it counts. */
function addTo({ entries }: HeldRun, eventId: string, ts: number, kind: Kind): boolean {
  const least = Math.max(0, entries.length - lookedBack);
  for (let i = entries.length - 3; i >= least; i -= 3) {
    const isSame = entries[i] === eventId && entries[i + 1] === ts;
    if (isSame && (entries[i + 2] as Kind).owner.agentId === kind.owner.agentId) {
      entries[i + 2] = kind;
      return false;
    }
  }
  entries.push(eventId, ts, kind);
  return true;
}

function wantedOf(
  entries: HeldRun["entries"],
  isWanted: (ts: number) => boolean,
): HeldRun["entries"] {
  const wanted: HeldRun["entries"] = [];
  for (let i = 0; i < entries.length; i += 3) {
    const [eventId, ts, kind] = [entries[i], entries[i + 1] as number, entries[i + 2]];
    if (isWanted(ts)) wanted.push(eventId as string, ts, kind as Kind);
  }
  return wanted;
}

function stepsOf({ entries }: HeldRun): Step[] {
  const steps: Step[] = [];
  for (let i = 0; i < entries.length; i += 3) {
    const [eventId, ts, kind] = [entries[i], entries[i + 1], entries[i + 2]];
    steps.push({ eventId: eventId as string, ts: ts as number, kind: kind as Kind });
  }
  if (steps.length === 1) return steps;
  // Sorting is stable: of an event that came twice the last is the latest reading.
  steps.sort(byTime);
  return steps.filter((step, i) => {
    const next = steps[i + 1];
    return next === undefined || byTime(step, next) !== 0;
  });
}

function byTime(a: Step, b: Step): number {
  if (a.ts !== b.ts) return a.ts - b.ts;
  if (a.eventId !== b.eventId) return a.eventId < b.eventId ? -1 : 1;
  const [one, other] = [a.kind.owner.agentId, b.kind.owner.agentId];
  return one < other ? -1 : one > other ? 1 : 0;
}

function knownKinds(rules: readonly Rule[]): (event: ExperienceEvent) => Kind {
  const owners = new Map<string, Owner>();
  const kinds = new Map<string, Kind>();
  return (event) => {
    const { tenantId, agentId, taskType, tool, ok } = event;
    const name = nameOf(servedBy(event));
    const signatures: (readonly [Rule, NonNullable<ReturnType<Rule["signature"]>>, string])[] = [];
    // Unambiguous, because the decoder refuses NUL in every text.
    const ownerKey = `${tenantId}\0${agentId}\0${taskType}`;
    let key = `${ownerKey}\0${ok}\0${tool === undefined ? "m" : "t"}\0${name}`;
    for (const rule of rules) {
      const signals = rule.signature(event);
      if (signals === null) continue;
      const text = JSON.stringify(signals);
      signatures.push([rule, signals, text]);
      key += `\0${rule.type}\0${text}`;
    }
    const known = kinds.get(key);
    if (known !== undefined) return known;
    const owner = owners.get(ownerKey) ?? { tenantId, agentId, taskType };
    owners.set(ownerKey, owner);
    const evidence = signatures.map(([rule, signals, text]) => {
      const fleet = fleetSubject(rule, event, signals);
      const agent = cachedSubject(rule, event, signals);
      return { rule, text, subjects: fleet === null ? [agent] : [agent, fleet] };
    });
    const kind = { owner, name, tool, ok, evidence };
    kinds.set(key, kind);
    return kind;
  };
}
