import { describe, expect, test } from "vitest";
import type { ExperienceEvent } from "../../../src/handlers/extractor/event.ts";
import { rulesFor } from "../../../src/handlers/extractor/rules/index.ts";
import { plainEvent } from "./events.ts";

const rules = rulesFor({
  errorThreshold: 3,
  silentThreshold: 5,
  latencyThreshold: 4,
  latencySpikeMs: 5_000,
});
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

  test("of silence under the policy's reason, whether it is OK or not", () => {
    expect(signatures({ silent: true, reason: "off topic" })).toEqual({
      silent: { reason: "off topic" },
    });
    expect(signatures({ silent: true })).toEqual({ silent: {} });
  });

  test("of latency from the spike on", () => {
    expect(signatures({ latencyMs: 4_999.9, tool: "t" })).toEqual({});
    expect(signatures({ latencyMs: 5_000, tool: "t" })).toEqual({ latency: { tool: "t" } });
  });

  test("of nothing where it was cancelled", () => {
    const event = { ok: false, errorClass: "x", silent: true, latencyMs: 9_000 };
    expect(signatures({ ...event, cancelled: true })).toEqual({});
  });

  test("for several rules at once", () => {
    const event = { ok: false, errorClass: "x", silent: true, latencyMs: 9_000 };
    expect(Object.keys(signatures(event))).toEqual(["error", "silent", "latency"]);
  });

  test("of nothing when it is OK, quick and has an answer", () => {
    expect(signatures({ latencyMs: 10 })).toEqual({});
  });
});
