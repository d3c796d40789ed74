import { agentKey, type DueMission, type KnownAgent, type Wanted } from "./claim.ts";
import { type Decision, decide } from "./gates.ts";

/** What is known of agents, by `agentKey`. */
export type Loads = Map<string, KnownAgent>;

export const agentKeyOf = (mission: DueMission) =>
  mission.agentId === null ? null : agentKey(mission, mission.agentId);

/** What was decided about the first of some missions. */
export interface Choice {
  /** These may not run. */
  readonly heldBack: readonly (readonly [DueMission, Exclude<Decision, "ran">])[];
  /** These are to be claimed. */
  readonly wanted: readonly Wanted[];
  /** To be decided about once it is known what became of those. */
  readonly rest: readonly DueMission[];
}

/**
 * Decides about missions in their order, as if each had been claimed before the next one is looked at: until `most` are
 * wanted, or one has room only if a claim of this choice is refused.
 */
export function choose(missions: readonly DueMission[], loads: Loads, most: number): Choice {
  const heldBack: [DueMission, Exclude<Decision, "ran">][] = [];
  const wanted: Wanted[] = [];
  const entering = new Map<string | null, number>();
  let seen = 0;
  for (; seen < missions.length && wanted.length < most; seen++) {
    const mission = missions[seen] as DueMission;
    const key = agentKeyOf(mission);
    const known = key === null ? null : (loads.get(key) ?? null);
    const before = entering.get(key) ?? 0;
    const decision = key === null ? "ran" : decisionOf(known, before);
    if (decision === "skipped-concurrency" && before > 0) break;
    if (decision === "ran") {
      wanted.push({ mission, known });
      entering.set(key, before + 1);
    } else heldBack.push([mission, decision]);
  }
  return { heldBack, wanted, rest: missions.slice(seen) };
}

function decisionOf(known: KnownAgent | null, entering: number): Decision {
  if (known === null) return decide(null, { running: 0, tokens: 0 });
  return decide(known.agent, { running: known.running + entering, tokens: known.tokens });
}
