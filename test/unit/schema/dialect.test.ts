import { Type } from "typebox";
import { describe, expect, test } from "vitest";
import { fieldOf, readerOf } from "../../../src/schema/dialect.ts";

const schema = Type.Object({
  event_id: Type.Optional(Type.String({ minLength: 1, maxLength: 8 })),
  error_class: Type.Optional(Type.String({ maxLength: 8 })),
  latency_ms: Type.Optional(Type.Number({ minimum: 0 })),
  user_ids: Type.Optional(Type.Array(Type.String({ minLength: 1 }))),
  cited_by: Type.Optional(Type.Union([Type.String(), Type.Null()])),
  title: Type.String(),
  tool: Type.Optional(Type.Object({ tool_name: Type.Optional(Type.String()) })),
  more: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
});
const { read, unknownFields } = readerOf(schema);
const title = "t";

describe("a value is brought into its schema's form", () => {
  test.each<[string, object, object]>([
    ["null is absent, at any depth", { tool: { tool_name: null }, event_id: null }, { tool: {} }],
    ["an empty text is absent where it is optional", { error_class: "", latency_ms: "" }, {}],
    [
      "camelCase is read",
      { errorClass: "a", tool: { toolName: "b" } },
      { error_class: "a", tool: { tool_name: "b" } },
    ],
    [
      "snake_case counts where both are there",
      { errorClass: "a", error_class: "b" },
      { error_class: "b" },
    ],
    ["whatever their order", { error_class: "b", errorClass: "a" }, { error_class: "b" }],
    ["but not where it says nothing", { errorClass: "a", error_class: null }, { error_class: "a" }],
    [
      "and a wrong value that does not count harms nobody",
      { errorClass: 1, error_class: "b" },
      { error_class: "b" },
    ],
    ["digits are a number", { latency_ms: "429" }, { latency_ms: 429 }],
    [
      "whole numbers are ids",
      { event_id: 17, user_ids: [1, "b"] },
      { event_id: "17", user_ids: ["1", "b"] },
    ],
    ["null stays where it says something", { cited_by: null }, { cited_by: null }],
    [
      "what has no shape stays as it is",
      { more: { a_b: null, aB: "" } },
      { more: { a_b: null, aB: "" } },
    ],
  ])("%s", (_, given, expected) => {
    expect(read({ title, ...given })).toEqual({ title, ...expected });
  });

  test("an empty text that must be there stays", () => {
    expect(read({ title: "", error_class: null })).toEqual({ title: "" });
  });
});

describe("what no dialect explains is refused by its name", () => {
  test.each<[string, object, RegExp]>([
    ["an id past 2^53", { event_id: 2 ** 53 }, /^event_id: .*rounds; send it as a string$/],
    ["one in a list", { user_ids: ["a", 2 ** 60] }, /^user_ids\.1: .*rounds/],
    ["a fraction as an id", { event_id: 1.5 }, /^event_id: must be string/],
    ["an id too long", { eventId: 123_456_789 }, /^event_id: /],
    ["a number with more than digits", { latency_ms: "1e3" }, /^latency_ms: must be number/],
    ["a negative one", { latencyMs: -1 }, /^latency_ms: /],
    ["a number for a text", { error_class: 17 }, /^error_class: must be string/],
    ["null for what must be there", { title: null }, /title/],
    ["a list for an object", { tool: [] }, /^tool: must be object/],
  ])("%s", (_, given, reason) => {
    expect(() => read({ title, ...given })).toThrow(reason);
  });
});

test("unknown fields are named with their path, in neither spelling known ones", () => {
  const value = {
    title,
    errorClass: "a",
    error: "x",
    tool: { tool_name: "b", args: 1 },
    more: { y: 1 },
  };
  expect(unknownFields(value)).toEqual(["error", "tool.args"]);
});

test("a field of an object without a schema is found under both spellings", () => {
  expect(fieldOf({ taskIds: [1] }, "task_ids")).toEqual([1]);
  expect(fieldOf({ task_ids: null, taskIds: [1] }, "task_ids")).toEqual([1]);
  expect(fieldOf({ task_ids: [2], taskIds: [1] }, "task_ids")).toEqual([2]);
  expect(fieldOf({}, "constructor")).toBeUndefined();
});
