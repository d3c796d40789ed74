import fc from "fast-check";
import { expect, test } from "vitest";
import { BusError } from "../../../src/errors.ts";
import { agentFrom } from "../../../src/handlers/missions/agent.ts";
import { decodePlan, maxAnswerBytes, overallStatus } from "../../../src/handlers/missions/plan.ts";

const step = { summary: "look", tool_name: "search", params: { q: "news" }, rationale: "to know" };
const plan = { summary: "find news", steps: [step] };
const agent = agentFrom("a", { policy: { search: "auto", mail: "propose", wipe: "deny" } }, false);

const decode = (value: unknown) => decodePlan(Buffer.from(JSON.stringify(value)), agent);

test("a plan of the one shape is read as it is", () => {
  expect(decode({ ...plan, tokens_used: 12 })).toEqual({ ...plan, tokens_used: 12 });
});

test.each([
  ["words", "Certainly! Here is your plan"],
  ["a list", [plan]],
  ["no steps", { summary: "x" }],
  ["an empty summary", { ...plan, summary: " " }],
  ["another field", { ...plan, note: "hi" }],
  ["another field in a step", { ...plan, steps: [{ ...step, confidence: 1 }] }],
  ["params that are no object", { ...plan, steps: [{ ...step, params: "x" }] }],
  ["a step without a tool", { ...plan, steps: [{ ...step, tool_name: "" }] }],
  ["tokens that are no number", { ...plan, tokens_used: "12" }],
  ["fewer than no tokens", { ...plan, tokens_used: -1 }],
  ["too many steps", { ...plan, steps: Array(101).fill(step) }],
  ["a tool that is denied", { ...plan, steps: [step, { ...step, tool_name: "wipe" }] }],
])("an answer with %s is refused", (_, value) => {
  expect(() => decode(value)).toThrow(BusError);
});

test("the reason never repeats what the planner said", () => {
  const said = { ...plan, steps: [{ ...step, tool_name: "wipe", rationale: "s3cret" }] };
  expect(() => decode(said)).toThrow("steps.0.tool_name: the agent's policy denies it");
});

test("a huge answer is refused before it is parsed", () => {
  expect(() => decodePlan(Buffer.alloc(maxAnswerBytes + 1, "{"), agent)).toThrow(/more than/);
});

test("whatever bytes a planner sends, they are a plan or refused", () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.uint8Array(),
        fc.json().map((text) => Buffer.from(text)),
      ),
      (bytes) => {
        expect(() => decodePlan(bytes, null)).toThrow(BusError);
      },
    ),
  );
});

test.each([
  [["search", "search"], "approved"],
  [["search", "mail"], "awaiting-review"],
  [["unknown"], "awaiting-review"],
  [[], "awaiting-review"],
])("a plan with the tools %j is %s", (tools, status) => {
  const steps = tools.map((tool_name) => ({ ...step, tool_name }));
  expect(overallStatus({ steps }, agent)).toBe(status);
  expect(overallStatus({ steps: [step] }, null)).toBe("awaiting-review");
});
