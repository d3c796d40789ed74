import { expect, test } from "vitest";
import { BusError } from "../../../src/errors.ts";
import { cloudEventIn, fromCloudEvent } from "../../../src/handlers/extractor/cloud-event.ts";

const event = {
  task_type: "tool_call",
  tool: { name: "book" },
  result: { ok: false, error_class: "x" },
};
const attributes = {
  ...{
    specversion: "1.0",
    id: "run-17-call-4",
    source: "/agents/airline",
    type: "agent.experience.v1",
  },
  ...{ time: "2026-12-01T08:00:14.375Z", subject: "run-17" },
};
const told = {
  ...event,
  ...{ event_id: "/agents/airline#run-17-call-4", ts: attributes.time },
  ...{ agent_id: "airline", run_id: "run-17" },
};
const none = () => "";
const bytes = (value: unknown) => Buffer.from(JSON.stringify(value));

test("a structured CloudEvent is the event in its data, with the attributes for what that leaves out", () => {
  expect(cloudEventIn(bytes({ ...attributes, data: event }), none)).toEqual(told);
  const encoded = { ...attributes, data_base64: bytes(event).toString("base64") };
  expect(fromCloudEvent(encoded)).toEqual(told);
});

test("a binary one has them in headers, percent-encoded", () => {
  const headers: Record<string, string> = Object.fromEntries(
    Object.entries({ ...attributes, source: "/agents/f%C3%BCr" }).map(([name, value]) => [
      `ce-${name}`,
      value,
    ]),
  );
  const found = cloudEventIn(bytes(event), (name) => headers[name] ?? "");
  expect(found).toMatchObject({ event_id: "/agents/für#run-17-call-4", agent_id: "für" });
});

test("what the event says itself counts, in either spelling", () => {
  const data = { ...event, eventId: "e1", agent_id: "other" };
  expect(fromCloudEvent({ ...attributes, data })).toMatchObject({
    event_id: "e1",
    agent_id: "other",
  });
});

test("an id that is too long goes by its hash", () => {
  const { event_id } = fromCloudEvent({ ...attributes, id: "x".repeat(300), data: event }) ?? {};
  expect(event_id).toMatch(/^[0-9a-f]{64}$/);
});

test("an event that is none of it is left alone", () => {
  expect(fromCloudEvent(event)).toBeNull();
  expect(fromCloudEvent([event])).toBeNull();
  expect(cloudEventIn(bytes(event), none)).toBeNull();
});

test.each([
  ["another type", { ...attributes, type: "com.example", data: event }],
  ["no source", { ...attributes, source: "", data: event }],
  ["data that is a text", { ...attributes, data: "x" }],
])("%s is refused", (_, value) => {
  expect(() => fromCloudEvent(value)).toThrow(BusError);
});
