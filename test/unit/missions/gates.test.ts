import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { agentFrom } from "../../../src/handlers/missions/agent.ts";
import { decide } from "../../../src/handlers/missions/gates.ts";

const states = ["active", "paused", "archived"] as const;
const limits = { maxConcurrentMissions: 2, maxTokensPerDay: 100 };

const all = states.flatMap((state) =>
  [1, 2].flatMap((running) => [99, 100].map((tokens) => ({ state, running, tokens }))),
);

/** The first gate that is closed, as a table: archived, paused, concurrency, budget. */
function firstClosed({ state, running, tokens }: (typeof all)[number]): string {
  const gates: [boolean, string][] = [
    [state === "archived", "skipped-archived"],
    [state === "paused", "skipped-paused"],
    [running >= 2, "skipped-concurrency"],
    [tokens >= 100, "skipped-budget"],
  ];
  return gates.find(([isClosed]) => isClosed)?.[1] ?? "ran";
}

test.each(all)(
  "an agent that is $state, runs $running of 2 and has used $tokens of 100 tokens",
  (one) => {
    expect(decide({ state: one.state, ...limits }, one)).toBe(firstClosed(one));
  },
);

test("an agent that is not known counts as archived; one without a budget has no limit", () => {
  expect(decide(null, { running: 0, tokens: 0 })).toBe("skipped-archived");
  const free = { state: "active" as const, maxConcurrentMissions: 1, maxTokensPerDay: null };
  expect(decide(free, { running: 0, tokens: 1e12 })).toBe("ran");
});

describe("an agent's record", () => {
  test("has defaults", () => {
    expect(agentFrom("a", {}, false)).toMatchObject({
      ...{ state: "active", maxConcurrentMissions: 1, maxTokensPerDay: null, name: null },
    });
  });

  test("that cannot be understood allows nothing", () => {
    const odd = { state: "resting", max_concurrent_missions: "many", max_tokens_per_day: -1 };
    expect(agentFrom("a", odd, false)).toMatchObject({
      ...{ state: "paused", maxConcurrentMissions: 0, maxTokensPerDay: 0 },
    });
    const policy = agentFrom("a", { policy: { rm: "allow", ls: "auto" } }, false).policy;
    expect(Object.fromEntries(policy)).toEqual({ rm: "deny", ls: "auto" });
  });

  test("of any content is read without an error", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (record) => {
        const agent = agentFrom("a", record as Record<string, unknown>, false);
        expect(agent.maxConcurrentMissions).toBeGreaterThanOrEqual(0);
      }),
    );
  });

  test("of a deleted agent is archived", () => {
    expect(agentFrom("a", { state: "active" }, true).state).toBe("archived");
  });
});
