import { expect, test } from "vitest";
import { collectWarnings } from "../../../src/cli/event-warnings.ts";
import { readEvent } from "../../../src/cli/publishing.ts";

const warned = (...events: object[]) => {
  const warnings = collectWarnings();
  for (const [i, event] of events.entries()) {
    const bytes = Buffer.from(JSON.stringify(event));
    const read = readEvent({ number: i + 1, ordinal: i + 1, bytes }, "agent.experience.v1.>");
    if (!("warnings" in read)) throw new Error(read.reason);
    warnings.note(i + 1, read.warnings);
  }
  return warnings.all();
};

const tool = { name: "pay" };

test("fields that nobody reads are named once, with how many events have them, the most frequent first", () => {
  const event = { agentId: "a", result: { ok: true, error: "x" } };
  expect(warned(event, { ...event, latency: 3 }, event)).toEqual([
    { warning: "the field result.error is not read", events: 3, first_line: 1 },
    { warning: "the field latency is not read", events: 1, first_line: 2 },
  ]);
});

test("events without agent, and failures without tool or class, are warned of", () => {
  const failure = { result: { ok: false, error_class: null } };
  const warnings = warned(failure).map(({ warning }) => warning);
  expect(warnings).toHaveLength(3);
  for (const part of ["no agent_id", "neither tool.name nor llm", "without result.error_class"]) {
    expect(warnings).toContainEqual(expect.stringContaining(part));
  }
});

test("events with all that a lesson needs are not", () => {
  const agent_id = "a";
  expect(
    warned(
      { agent_id, tool, result: { ok: false, errorClass: "timeout" } },
      { agent_id, tool: null, llm: { model: "m" }, result: { ok: false, http_status: "429" } },
      { agent_id, result: { ok: true } },
      { agent_id, result: { ok: false, cancelled: true } },
    ),
  ).toEqual([]);
});
