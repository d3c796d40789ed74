import { describe, expect, test } from "vitest";
import type { ExperienceEvent } from "../../../src/handlers/extractor/event.ts";
import { rulesFor } from "../../../src/handlers/extractor/rules/index.ts";
import { plainEvent } from "./events.ts";

const settings = {
  errorThreshold: 3,
  silentThreshold: 5,
  latencyThreshold: 4,
  latencySpikeMs: 5_000,
};
const rules = rulesFor(settings);
/** The signature under each rule that the event is evidence for. */
const signatures = (other: Partial<ExperienceEvent>) =>
  Object.fromEntries(
    rules.flatMap((rule) => {
      const signals = rule.signature({ ...plainEvent, ...other });
      return signals ? [[rule.type, signals]] : [];
    }),
  );

test("each rule has the threshold of the settings", () => {
  expect(rules.map(({ type, threshold }) => [type, threshold])).toEqual([
    ["error", 3],
    ["silent", 5],
    ["latency", 4],
  ]);
});

describe("an event is evidence", () => {
  test("of an error when it is not OK, under its normalised class and its tool", () => {
    const errorClass = "order 17 is gone";
    expect(signatures({ ok: false, errorClass, tool: "cancel", model: "m" })).toEqual({
      error: { error_class: "order <n> is gone", tool: "cancel" },
    });
  });

  test("of an error under provider, model and profile when it names no tool", () => {
    const model = { provider: "p", model: "m", profile: "f" };
    expect(signatures({ ok: false, errorClass: "x", ...model })).toEqual({
      error: { error_class: "x", ...model },
    });
  });

  test("of nothing where a program's own assertion failed: a test did its work", () => {
    const bare = [
      ...["AssertionError", "AssertionError: 1 != 2", "E  assert 1 == 2"],
      ...["AssertionError: assert 'WARN...b", "AssertionError: 'x' not found in 'y'"],
      ...["Failed: DID NOT RAISE <class 'ValueError'>", "AssertionError: False is not true"],
    ];
    for (const errorClass of bare) {
      expect(signatures({ ok: false, errorClass, tool: "pytest" })).toEqual({});
      expect(signatures({ ok: false, errorClass, tool: "pay" }).error).toBeDefined();
      expect(signatures({ ok: false, errorClass, model: "m" }).error).toBeDefined();
    }
  });

  test("of an assertion that says in words what is wrong, whoever made it", () => {
    for (const errorClass of [
      "AssertionError: no balance",
      "AssertionError: 3 != 4 : empty cart",
    ]) {
      expect(signatures({ ok: false, errorClass, tool: "pytest" }).error).toBeDefined();
    }
  });

  test("of nothing where a change to files was handed in for an error", () => {
    const errorClass =
      "diff --git a/x.py b/x.py\nindex 307e..9b86 100644\n-    raise ValueError: x";
    expect(signatures({ ok: false, errorClass, tool: "format" })).toEqual({});
  });

  test("of silence under the policy's reason, whether it is OK or not", () => {
    expect(signatures({ silent: true, reason: "off topic" })).toEqual({
      silent: { reason: "off topic" },
    });
    expect(signatures({ silent: true })).toEqual({ silent: {} });
  });

  test("of a model's latency from the spike on, whichever tool it led to", () => {
    const model = { provider: "p", model: "m" };
    expect(signatures({ ...model, latencyMs: 4_999.9, tool: "t" })).toEqual({});
    expect(signatures({ ...model, latencyMs: 5_000, tool: "t" })).toEqual({ latency: model });
    expect(signatures({ toolLatencyMs: 1e6, tool: "t" })).toEqual({});
  });

  test("of a tool's latency by the tool's own time, where the setting has a bound", () => {
    const rules = rulesFor({ ...settings, toolLatencySpikeMs: 2_000 });
    const found = (other: Partial<ExperienceEvent>) =>
      rules.flatMap((rule) => rule.signature({ ...plainEvent, ...other }) ?? []);
    expect(found({ toolLatencyMs: 1_999, tool: "t" })).toEqual([]);
    expect(found({ toolLatencyMs: 2_000, tool: "t", latencyMs: 100 })).toEqual([{ tool: "t" }]);
    expect(found({ toolLatencyMs: 2_000 })).toEqual([]);
    const both = { toolLatencyMs: 2_000, latencyMs: 9_000, tool: "t", model: "m" };
    expect(found(both)).toEqual([{ model: "m" }, { tool: "t" }]);
    expect(rules.map(({ passesOver }) => passesOver({ ...plainEvent, ...both }))).toContain(false);
  });

  test("of an error by class and status, where the class does not say the status already", () => {
    const classOf = (errorClass: string, httpStatus?: number) =>
      signatures({ ok: false, errorClass, httpStatus })["error"]?.error_class;
    expect(classOf("APIError", 500)).toBe("api_error");
    expect(classOf("APIStatusError", 500)).toBe("api_status_error http_500");
    expect(classOf("APIStatusError", 429)).toBe("api_status_error http_429");
    expect(classOf("RateLimitError", 429)).toBe("rate_limit_error");
    expect(classOf("http_404", 404)).toBe("http_404");
    expect(classOf("boom", 200)).toBe("boom");
    expect(classOf("unknown", 503)).toBe("http_503");
    expect(classOf(`${"long ".repeat(60)}`, 503)).toMatch(/^(?:long )+http_503$/);
  });

  test("of no error when it says nothing of its failure", () => {
    expect(signatures({ ok: false, errorClass: "unknown" })).toEqual({});
    expect(signatures({ ok: false })).toEqual({});
  });

  test("for several rules at once", () => {
    const event = { ok: false, errorClass: "x", silent: true, latencyMs: 9_000 };
    expect(Object.keys(signatures(event))).toEqual(["error", "silent", "latency"]);
  });

  test("of nothing when it is OK, quick and has an answer", () => {
    expect(signatures({ latencyMs: 10 })).toEqual({});
  });
});
