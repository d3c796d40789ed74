import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { lessonKey, servedBy } from "../../../src/handlers/extractor/signature.ts";
import { plainEvent } from "./events.ts";

test("what served an event is its tool, else provider, model and profile", () => {
  const model = { provider: "p", model: "m", profile: "f" };
  expect(servedBy({ ...plainEvent, ...model, tool: "t" })).toEqual({ tool: "t" });
  expect(servedBy({ ...plainEvent, ...model })).toEqual(model);
  expect(servedBy({ ...plainEvent, model: "m" })).toEqual({ model: "m" });
  expect(servedBy(plainEvent)).toEqual({});
});

describe("a lesson key", () => {
  const rule = { type: "error", version: 1 };
  const of = { tenantId: "t", agentId: "a", taskType: "k" };
  const signals = { error_class: "e", tool: "u" };
  const key = lessonKey(rule, of, signals);

  test("is the lower-case hex SHA-256 of what the contract lists, and stays so", () => {
    const identity = ["t", "error", 1, "agent", "a", "k", ["e", "u", null, null, null, null]];
    const hash = createHash("sha256").update(JSON.stringify(identity)).digest("hex");
    expect(key).toBe(hash);
    expect(key).toMatch(/^[0-9a-f]{64}$/);
  });

  test.each([
    ["tenant", lessonKey(rule, { ...of, tenantId: "x" }, signals)],
    ["lesson type", lessonKey({ ...rule, type: "x" }, of, signals)],
    ["rule version", lessonKey({ ...rule, version: 2 }, of, signals)],
    ["agent", lessonKey(rule, { ...of, agentId: "x" }, signals)],
    ["task type", lessonKey(rule, { ...of, taskType: "x" }, signals)],
    ["error class", lessonKey(rule, of, { ...signals, error_class: "x" })],
    ["tool", lessonKey(rule, of, { ...signals, tool: "x" })],
    ["provider", lessonKey(rule, of, { ...signals, provider: "x" })],
    ["model", lessonKey(rule, of, { ...signals, model: "x" })],
    ["profile", lessonKey(rule, of, { ...signals, profile: "x" })],
    ["reason", lessonKey(rule, of, { ...signals, reason: "x" })],
    ["presence of a part", lessonKey(rule, of, { ...signals, reason: "" })],
  ])("is another one for another %s", (_, other) => {
    expect(other).not.toBe(key);
  });

  test("is the same whatever else differs: time, id, threshold, latency, order of the parts", () => {
    const event = { ...plainEvent, ...of, ts: 7, storedAt: 8, eventId: "z", latencyMs: 9 };
    const other = { ...rule, threshold: 99, version: 1 };
    expect(lessonKey(other, event, { tool: "u", error_class: "e" })).toBe(key);
  });

  test("does not mistake text that moves from one part to the next", () => {
    const part = fc.string({ unit: fc.constantFrom("a", '"', ",", "\\", "[") });
    const parts = fc.record({ tenantId: part, agentId: part, taskType: part, tool: part });
    fc.assert(
      fc.property(parts, parts, (one, two) => {
        const same = JSON.stringify(one) === JSON.stringify(two);
        const keys = [one, two].map(({ tool, ...ids }) => lessonKey(rule, ids, { tool }));
        expect(keys[0] === keys[1]).toBe(same);
      }),
    );
  });
});
