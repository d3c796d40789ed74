import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  lessonKey,
  normaliseErrorClass,
  servedBy,
} from "../../../src/handlers/extractor/signature.ts";
import { plainEvent } from "./events.ts";

describe("a normalised error class", () => {
  test.each([
    ["order 8f14e45f-ceea-467f-a8f5-6f2a3b1c9d10 gone", "order <id> gone"],
    ["ORDER 8F14E45F-CEEA-467F-A8F5-6F2A3B1C9D10 gone", "ORDER <id> gone"],
    ["at 0xDEADbeef", "at <id>"],
    ["commit 9fceb02d0ae598e95dc970b74767f19372d61af8", "commit <id>"],
    ["trace 1234567890123456", "trace <id>"],
    ["mail jane.doe+x@mail.example.org bounced", "mail <id> bounced"],
    ["took 12.5 s, 1,000 of 3", "took <n> s, <n> of <n>"],
    ["HTTP2 stream", "HTTP<n> stream"],
    ['no "blue shoes" left', "no <s> left"],
    ["no 'blue shoes' left", "no <s> left"],
    ["no `blue shoes` left", "no <s> left"],
    ["white \t\n  space ", "white space"],
    ["can't find user's 'cart 12'", "can't find user's <s>"],
    ["don't, won't, can't", "don't, won't, can't"],
    ["deadbeef, facade and decade", "deadbeef, facade and decade"],
    ["http_503", "http_503"],
    ["http_503 from 10.0.0.7", "http_<n> from <n>"],
    ["", "unknown"],
    ["  \n ", "unknown"],
  ])("%j is %j", (text, normalised) => {
    expect(normaliseErrorClass(text)).toBe(normalised);
  });

  test("has at most 200 characters", () => {
    expect(normaliseErrorClass("x".repeat(8_192))).toBe("x".repeat(200));
  });

  test("never ends in half a surrogate pair", () => {
    expect(normaliseErrorClass(`${"x".repeat(199)}😀`)).toBe("x".repeat(199));
    expect(normaliseErrorClass(`${"x".repeat(198)}😀`)).toBe(`${"x".repeat(198)}😀`);
  });

  const fragment = fc.constantFrom(
    ..."a 1 ' \" ` - _ @ . , : < > 0x 😀 can't 'x' \"y\" deadbeef1 12 a@b.cd http_503".split(" "),
    " ",
  );
  const texts = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.array(fragment, { maxLength: 120, size: "max" }).map((parts) => parts.join("")),
  );

  test("is well-formed, short, and free of digits but for http_<status>", () => {
    fc.assert(
      fc.property(texts, (text) => {
        const normalised = normaliseErrorClass(text);
        expect(normalised.length).toBeGreaterThan(0);
        expect(normalised.length).toBeLessThanOrEqual(200);
        expect(normalised.isWellFormed()).toBe(true);
        if (!/^http_\d{3}$/.test(normalised)) expect(normalised).not.toMatch(/\d/);
      }),
      { numRuns: 2_000 },
    );
  });

  test("is not changed by being normalised again", () => {
    fc.assert(
      fc.property(texts, (text) => {
        const once = normaliseErrorClass(text);
        expect(normaliseErrorClass(once)).toBe(once);
      }),
      { numRuns: 2_000 },
    );
  });

  test("takes no time worth mentioning, whatever the text", () => {
    const hostile = ["'", '"', "a@", "a.b-", "0x", "1,", "f0", "x@y.", " ", "a-"];
    const started = performance.now();
    for (const part of hostile) normaliseErrorClass(part.repeat(8_192 / part.length));
    expect(performance.now() - started).toBeLessThan(1_000);
  });
});

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
