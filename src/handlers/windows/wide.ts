import type { ExperienceEvent } from "../extractor/event.ts";
import {
  type CountBy,
  type Entry,
  type Evidence,
  type EvidenceLimits,
  entryOf,
  isSettled,
} from "../extractor/evidence.ts";
import type { Subject } from "../extractor/lesson.ts";
import type { Rule } from "../extractor/rules/index.ts";
import { cachedSubject } from "../extractor/subjects.ts";
import { fleetSubject } from "./fleet.ts";

export interface WideSettings {
  readonly windowMs: number;
  readonly slowWindowMs: number;
  readonly slowRuns: number;
  readonly fleetAgents: number;
  readonly countBy: CountBy;
}

/** The events of a batch that are evidence under one signature and one window. */
export interface WideGroup {
  /** Which document: what is counted, the window and the lesson. */
  readonly key: string;
  readonly subject: Subject;
  readonly limits: EvidenceLimits;
  readonly isSlow: boolean;
  readonly entries: Entry[];
}

/**
 * What a batch adds beyond the evidence of one agent in one short window: the same failure over many
 * agents, and over many days. What a document that is settled has no use for is left out.
 */
export function wideGroups(
  events: readonly ExperienceEvent[],
  rules: readonly Rule[],
  known: (key: string) => Evidence | undefined,
  settings: WideSettings,
): WideGroup[] {
  const groups = new Map<string, WideGroup>();
  for (const event of events) {
    for (const rule of rules) {
      const signals = rule.signature(event);
      if (signals === null) continue;
      const entry = entryOf(event, settings.countBy);
      const agent = cachedSubject(rule, event, signals);
      const fleet = fleetSubject(rule, event, signals);
      add(groups, known, group(agent, settings, true), entry);
      if (fleet === null) continue;
      const [eventId, ts, runId = null] = entry;
      const ofAgent = [eventId, ts, runId, event.agentId] as const;
      add(groups, known, group(fleet, settings, false), ofAgent);
      add(groups, known, group(fleet, settings, true), ofAgent);
    }
  }
  return [...groups.values()];
}

function group(
  subject: Subject,
  { windowMs, slowWindowMs, slowRuns, fleetAgents, countBy }: WideSettings,
  isSlow: boolean,
): WideGroup {
  const within = isSlow ? slowWindowMs : windowMs;
  const limits = {
    threshold: isSlow ? slowRuns : subject.rule.threshold,
    windowMs: within,
    agents: subject.scope === "fleet" ? fleetAgents : 1,
  };
  const key = `${countBy}.${within}.${subject.lessonKey}`;
  return { key, subject, limits, isSlow, entries: [] };
}

function add(
  groups: Map<string, WideGroup>,
  known: (key: string) => Evidence | undefined,
  wanted: WideGroup,
  entry: Entry,
): void {
  const { key, limits } = wanted;
  const evidence = known(key);
  if (evidence && isSettled(evidence, entry[1], limits.windowMs)) return;
  const found = groups.get(key) ?? wanted;
  groups.set(key, found);
  found.entries.push(entry);
}
