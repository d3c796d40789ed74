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
  readonly okSamplePercent: number;
  readonly countBy: CountBy;
}

/** The events of a batch that are evidence under one signature and one window. */
export interface WideGroup {
  /** Which document: what is counted, the window and the lesson. */
  readonly key: string;
  readonly subject: Subject;
  readonly limits: EvidenceLimits;
  readonly kind: Kind;
  readonly entries: Entry[];
}

/**
 * What evidence is for: `slow` failures of an agent or of a fleet; a `fleet` in one short window; `short`: what the
 * extractor holds, too, so that a lesson that it would learn is worded as it would be, whoever is first.
 */
export type Kind = "slow" | "fleet" | "short";

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
      if (add(groups, known, group(agent, settings, "slow"), entry)) {
        add(groups, known, group(agent, settings, "short"), entry);
      }
      if (fleet === null) continue;
      const [eventId, ts, runId = null] = entry;
      const ofAgent = [eventId, ts, runId, event.agentId] as const;
      add(groups, known, group(fleet, settings, "fleet"), ofAgent);
      add(groups, known, group(fleet, settings, "slow"), ofAgent);
    }
  }
  return [...groups.values()];
}

function group(
  subject: Subject,
  { windowMs, slowWindowMs, slowRuns, fleetAgents, countBy }: WideSettings,
  kind: Kind,
): WideGroup {
  const within = kind === "slow" ? slowWindowMs : windowMs;
  const limits = {
    threshold: kind === "slow" ? slowRuns : subject.rule.threshold,
    windowMs: within,
    agents: subject.scope === "fleet" ? fleetAgents : 1,
  };
  const key = `${countBy}.${within}.${subject.lessonKey}`;
  return { key, subject, limits, kind, entries: [] };
}

/** False where the document has no use for the entry. */
function add(
  groups: Map<string, WideGroup>,
  known: (key: string) => Evidence | undefined,
  wanted: WideGroup,
  entry: Entry,
): boolean {
  const { key, limits, kind } = wanted;
  const evidence = known(key);
  if (evidence && isDone(evidence, kind, entry, limits)) return false;
  const found = groups.get(key) ?? wanted;
  groups.set(key, found);
  found.entries.push(entry);
  return true;
}

/** Only a fleet has sightings here: of a slow failure each occurrence has a window of its own. */
function isDone(evidence: Evidence, kind: Kind, entry: Entry, limits: EvidenceLimits): boolean {
  return kind === "fleet" ? isSettled(evidence, entry[1], limits.windowMs) : evidence.learned;
}
