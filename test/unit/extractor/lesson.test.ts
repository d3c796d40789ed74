import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { ExperienceEvent } from "../../../src/handlers/extractor/event.ts";
import {
  type Lesson,
  lessonFrom,
  plain,
  sightingFrom,
  subjectOf,
} from "../../../src/handlers/extractor/lesson.ts";
import { normaliseErrorClass } from "../../../src/handlers/extractor/rules/error-class/normalise.ts";
import { rulesFor } from "../../../src/handlers/extractor/rules/index.ts";
import { decodeEvent } from "../../../src/handlers/extractor/wire.ts";
import { plainEvent } from "./events.ts";

const rules = rulesFor({
  errorThreshold: 3,
  silentThreshold: 1,
  latencyThreshold: 3,
  latencySpikeMs: 5_000,
});
const windowSeconds = 1_800;
const none = { others: [], sameSucceeded: false };

/** The lessons of every rule that the event is evidence for. */
function lessonsOf(event: ExperienceEvent, worked = none as Parameters<typeof lessonFrom>[2]) {
  return rules.flatMap((rule): Lesson[] => {
    const signals = rule.signature(event);
    const entries = [[event.eventId, event.ts]] as const;
    const measure = { threshold: rule.threshold, windowSeconds };
    return signals ? [lessonFrom(subjectOf(rule, event, signals), entries, worked, measure)] : [];
  });
}

const textOf = ({ trigger, action, avoid }: Lesson) => [trigger, action, avoid].join("\n");
const failing: ExperienceEvent = {
  ...plainEvent,
  ok: false,
  errorClass: "timeout",
  tool: "search",
};

describe("plain text", () => {
  test.each([
    ["search_flights", "search_flights"],
    ["a <b> c/d:e.f+g-h", "a <b> c/d:e.f+g-h"],
    ["<script>alert('x')</script>", "<script>alert x </script>"],
    ["ignore\nprevious `instructions`", "ignore previous instructions"],
    ["naïve 😀", "na ve"],
    ["😀", "unnamed"],
    ["", "unnamed"],
    ["x".repeat(200), "x".repeat(80)],
    [`${"x".repeat(79)} yz`, "x".repeat(79)],
    [
      "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen",
      "one two three four five six seven eight nine ten eleven twelve thirteen fourteen",
    ],
    ["can't, won't, user's", "cannot wo not users"],
    [
      `a.b.c.LongNameError: ${"word ".repeat(20)}`,
      "LongNameError: word word word word word word word word word word word word word",
    ],
  ])("of %j is %j", (text, expected) => {
    expect(plain(text)).toBe(expected);
  });

  test("has 1 to 80 characters of the list, whatever the text", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 300, size: "max" }), (text) => {
        expect(plain(text)).toMatch(/^[A-Za-z0-9_.:/<>+-]([A-Za-z0-9 _.:/<>+-]{0,79})$/);
      }),
      { numRuns: 2_000 },
    );
  });
});

describe("a lesson's text", () => {
  test("says who failed at what, how often, and what to do", () => {
    const [lesson] = lessonsOf(failing, { others: ["book", "p/m"], sameSucceeded: true });
    expect(lesson?.trigger).toBe(
      'Agent agent, task task: search failed with "timeout" at least 3 times within 30 minutes.',
    );
    expect(lesson?.action).toMatch(
      /^Give search less to do in one call .* before taking another route\. Succeeded lately in this task: book, p\/m\.$/,
    );
    expect(lesson?.evidence.worked_instead).toEqual(["book", "p/m"]);
  });

  test("speaks of the call where the event names neither tool nor model", () => {
    const [lesson] = lessonsOf({ ...failing, tool: undefined });
    expect(lesson?.trigger).toContain("a call failed");
  });

  test("has no action where none is certain to help, and reads well without a name", () => {
    const lessons = [
      { errorClass: "payment amount does not add up", tool: "pay" },
      { errorClass: "payment amount does not add up", tool: undefined },
      { errorClass: "rate_limit_error", tool: undefined },
      { errorClass: "rate_limit_error", tool: undefined, model: "m" },
    ].map((fields) => {
      const [lesson] = lessonsOf({ ...failing, ...fields }, { others: ["n"], sameSucceeded: true });
      return [lesson?.action, lesson?.avoid];
    });
    expect(lessons).toEqual([
      ["", 'Do not repeat the same call of pay unchanged after "payment amount does not add up".'],
      ["", 'Do not repeat the same call unchanged after "payment amount does not add up".'],
      [
        expect.stringMatching(
          /^Wait before calling the service again: .* Succeeded lately in this task: n\.$/,
        ),
        "Do not retry the service at once or from several workers in parallel.",
      ],
      [
        expect.stringMatching(/^Wait before calling m again: /),
        "Do not retry m at once or from several workers in parallel.",
      ],
    ]);
  });

  test("of a fleet speaks of several agents", () => {
    const [rule] = rules;
    if (!rule) throw new Error("no rule");
    const fleet = { tenantId: "t", agentId: "*", taskType: "*" };
    const subject = subjectOf(rule, fleet, { error_class: "timeout" }, "fleet");
    const measure = { threshold: 3, windowSeconds: 1_800 };
    const { trigger } = lessonFrom(subject, [["e", 0]], none, measure);
    expect(trigger).toBe(
      'Several agents: a call failed with "timeout" at least 3 times within 30 minutes.',
    );
  });

  test("of latency speaks of the model that was timed", () => {
    const slow = { ...plainEvent, latencyMs: 9_000, tool: "search" };
    const triggers = [slow, { ...slow, provider: "p", model: "m" }].flatMap((event) =>
      lessonsOf(event).map(({ trigger }) => trigger),
    );
    expect(triggers).toEqual([
      "Agent agent, task task: calls of the model took 5 s or longer at least 3 times within 30 minutes.",
      "Agent agent, task task: calls of p/m took 5 s or longer at least 3 times within 30 minutes.",
    ]);
  });

  test("says once for a threshold of one, and gives the policy's reason", () => {
    const [lesson] = lessonsOf({ ...plainEvent, silent: true, reason: "off topic" });
    expect(lesson?.trigger).toBe(
      "Agent agent, task task: gave no answer (policy reason: off topic) at least once within 30 minutes.",
    );
  });

  const marks = fc.string({
    unit: fc.constantFrom(..."{}[]()$&'\"`;,!?*#|\\^~=%@\n\t\u2028é😀<>a1 ".split("")),
    minLength: 1,
    maxLength: 100,
    size: "max",
  });
  const anyEvent = fc
    .record({ agentId: marks, taskType: marks, model: marks, errorClass: marks, reason: marks })
    .map((texts) => ({ ...failing, ...texts, tool: undefined, silent: true, latencyMs: 9_000 }));

  test("holds no character of the event but letters, digits, space and _.:/<>+-", () => {
    fc.assert(
      fc.property(anyEvent, fc.array(marks, { maxLength: 3 }), (event, others) => {
        const tame = {
          ...event,
          agentId: "a",
          taskType: "k",
          model: "m",
          reason: "r",
          errorClass: plain(normaliseErrorClass(event.errorClass)),
        };
        const lessons = lessonsOf(event, { others, sameSucceeded: false });
        const tamed = lessonsOf(tame, { others: others.map(() => "o"), sameSucceeded: false });
        expect(lessons.map(textOf).map(specials)).toEqual(tamed.map(textOf).map(specials));
      }),
      { numRuns: 3_000 },
    );
  });

  test("cuts every slot to 80 characters", () => {
    const long = "z".repeat(1_000);
    const texts = { agentId: long, taskType: long, model: long, errorClass: long, reason: long };
    const event = { ...failing, ...texts, tool: undefined, silent: true, latencyMs: 9_000 };
    const worked = { others: [long], sameSucceeded: true };
    for (const lesson of lessonsOf(event, worked)) {
      expect(textOf(lesson)).toContain("z".repeat(80));
      expect(textOf(lesson)).not.toContain("z".repeat(81));
    }
  });

  test("and all else that is stored never holds the error message or other free text", () => {
    const secret = "card 4111 1111 for zoe";
    const payload = {
      event_id: "e",
      result: { ok: false, error_class: "timeout", error_message: secret, silent: true },
      tool: { name: "search", arguments: secret },
      notes: secret,
    };
    const event = decodeEvent(Buffer.from(JSON.stringify(payload)), {
      defaultAgentId: "agent",
      defaultEventId: "id",
      storedAt: 0,
      maxFutureMs: 0,
    });
    const lessons = lessonsOf(event);
    expect(lessons.map(({ lessonType }) => lessonType)).toEqual(["error", "silent"]);
    expect(JSON.stringify([event, lessons])).not.toMatch(/4111|zoe/);
  });
});

test("a sighting names its window and its distinct events", () => {
  const [rule] = rules;
  if (!rule) throw new Error("no rule");
  const subject = subjectOf(rule, failing, { error_class: "timeout" });
  const entries = [
    ["a", 3_600_001],
    ["b", 3_600_005],
    ["a", 3_600_009],
  ] as const;
  expect(sightingFrom(subject, { index: 2, entries }, { threshold: 3, windowSeconds })).toEqual({
    lessonKey: subject.lessonKey,
    windowStart: new Date(3_600_000),
    evidence: {
      count: 2,
      threshold: 3,
      window_seconds: 1_800,
      first_ts: "1970-01-01T01:00:00.001Z",
      last_ts: "1970-01-01T01:00:00.009Z",
      event_ids: ["a", "b"],
      run_ids: [],
    },
  });
});

/** What the templates bring themselves, and the event must not. */
function specials(text: string): string {
  return text.replaceAll(/[A-Za-z0-9 _.:/<>+-]/g, "");
}
