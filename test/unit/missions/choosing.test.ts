import fc from "fast-check";
import { expect, test } from "vitest";
import { agentFrom } from "../../../src/handlers/missions/agent.ts";
import { choose, type Loads } from "../../../src/handlers/missions/choosing.ts";
import { agentKey, type DueMission } from "../../../src/handlers/missions/claim.ts";
import { decide } from "../../../src/handlers/missions/gates.ts";

const of = { tenantId: "default", userId: "ada" };
const agentIds = ["a", "b", "unknown"];
const anyAgent = fc.record({
  state: fc.constantFrom("active", "active", "active", "paused", "archived"),
  max_concurrent_missions: fc.integer({ min: 1, max: 3 }),
  running: fc.integer({ min: 0, max: 3 }),
  tokens: fc.integer({ min: 0, max: 1 }),
});
const situation = fc.record({
  agents: fc.tuple(anyAgent, anyAgent),
  of: fc.array(fc.constantFrom(null, ...agentIds), { maxLength: 20 }),
  /** Which claims another replica was faster with. */
  gone: fc.infiniteStream(fc.boolean()),
  most: fc.integer({ min: 1, max: 8 }),
});

function loadsOf(agents: readonly { running: number; tokens: number }[]): Loads {
  return new Map(
    agents.map(({ running, tokens, ...record }, i) => {
      const agentId = agentIds[i] ?? "";
      const agent = agentFrom(agentId, { ...record, max_tokens_per_day: 1 }, false);
      return [agentKey(of, agentId), { agent, version: 1, running, tokens }];
    }),
  );
}

/** One more is running. */
function noteStarted(loads: Loads, { agentId }: DueMission): void {
  const key = agentKey(of, agentId ?? "");
  const load = loads.get(key);
  if (load) loads.set(key, { ...load, running: load.running + 1 });
}

test("missions that are claimed together are decided about as if each was claimed before the next one", () => {
  fc.assert(
    fc.property(situation, ({ agents, of: agentOf, gone, most }) => {
      const missions = agentOf.map((agentId, i) => ({
        ...{ ...of, missionId: `m-${i}`, agentId, due: i, isGone: gone.next().value === true },
      }));
      const wanted = loadsOf(agents);
      const inTurn = missions.map((mission) => {
        const { agentId } = mission;
        const load = wanted.get(agentKey(of, agentId ?? "")) ?? null;
        const about = load ?? { running: 0, tokens: 0 };
        const decision = agentId === null ? "ran" : decide(load?.agent ?? null, about);
        if (decision === "ran" && !mission.isGone) noteStarted(wanted, mission);
        return [mission.missionId, decision];
      });

      const loads = loadsOf(agents);
      const together: [string, string][] = [];
      let left: readonly DueMission[] = missions;
      while (left.length > 0) {
        const choice = choose(left, loads, most);
        expect(choice.rest.length).toBeLessThan(left.length);
        expect(choice.wanted.length).toBeLessThanOrEqual(most);
        for (const [mission, decision] of choice.heldBack) {
          together.push([mission.missionId, decision]);
        }
        for (const { mission } of choice.wanted) {
          together.push([mission.missionId, "ran"]);
          const { isGone } = mission as (typeof missions)[number];
          if (!isGone) noteStarted(loads, mission);
        }
        left = choice.rest;
      }
      expect(Object.fromEntries(together)).toEqual(Object.fromEntries(inTurn));
      expect(together).toHaveLength(missions.length);
    }),
  );
});

test("a choice ends before a mission that has room only if a claim before it is refused", () => {
  const loads = loadsOf([
    { state: "active", max_concurrent_missions: 1, running: 0, tokens: 0 } as never,
  ]);
  const missions = ["m-1", "m-2", "m-3"].map((missionId) => ({
    ...{ ...of, missionId, agentId: "a", due: 1 },
  }));
  const { wanted, heldBack, rest } = choose(missions, loads, 8);
  expect([wanted.map(({ mission }) => mission.missionId), heldBack]).toEqual([["m-1"], []]);
  expect(rest.map(({ missionId }) => missionId)).toEqual(["m-2", "m-3"]);
});
