import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { ExperienceEvent } from "../../../src/handlers/extractor/event.ts";
import { type EventIdentity, messageIdOf } from "../../../src/handlers/extractor/identity.ts";
import { reference } from "../../../src/handlers/extractor/reference.ts";
import { rulesFor } from "../../../src/handlers/extractor/rules/index.ts";
import { plainEvent } from "./events.ts";

const part = fc.oneof(fc.constantFrom("a", "b", "1", '"', ",", '","', "a,b"), fc.string());
const identity = fc.record({ tenantId: part, agentId: part, eventId: part });

describe("the id of a message", () => {
  test("is one for one tenant, agent and event id, and for nothing else", () => {
    const text = ({ tenantId, agentId, eventId }: EventIdentity) =>
      [tenantId, agentId, eventId].map((one) => `${one.length}:${one}`).join();
    fc.assert(
      fc.property(identity, identity, (one, other) => {
        expect(messageIdOf(one) === messageIdOf(other)).toBe(text(one) === text(other));
        expect(messageIdOf({ ...one })).toMatch(/^[0-9a-f]{64}$/);
      }),
      { numRuns: 2_000 },
    );
  });

  test("stays what it is: other programs compute it, too", () => {
    const known = { tenantId: "acme", agentId: "scout", eventId: "1" };
    expect(messageIdOf(known)).toBe(
      "9a7e9701074dc4b5ce72203070608a3b093cf6a478a61c5595c2e461a0d7e41b",
    );
  });
});

const rules = rulesFor({
  ...{ errorThreshold: 2, silentThreshold: 2, latencyThreshold: 2, latencySpikeMs: 100 },
});
const event: fc.Arbitrary<ExperienceEvent> = fc
  .record({
    tenantId: fc.constantFrom("acme", "bolt"),
    agentId: fc.constantFrom("scout", "cook"),
    eventId: fc.constantFrom("1", "2", "3"),
    runId: fc.constantFrom("r1", "r2", undefined),
    ts: fc.constantFrom(0, 500, 5_000),
    ok: fc.boolean(),
  })
  .map((fields) => ({ ...plainEvent, ...fields, errorClass: fields.ok ? undefined : "timeout" }));

test("what becomes of one agent's events does not depend on another's, though they share ids", () => {
  const lessonsOf = (events: readonly ExperienceEvent[]) => [
    ...reference(events, rules, 1_000).lessonKeys,
  ];
  fc.assert(
    fc.property(fc.array(event, { maxLength: 20 }), (events) => {
      const owner = ({ tenantId, agentId }: ExperienceEvent) => `${tenantId} ${agentId}`;
      const owners = [...new Set(events.map(owner))];
      const apart = owners.flatMap((one) => lessonsOf(events.filter((e) => owner(e) === one)));
      expect(lessonsOf(events).sort()).toEqual(apart.sort());
    }),
    { numRuns: 1_000 },
  );
});
