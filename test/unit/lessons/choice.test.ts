import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { blockOf } from "../../../src/handlers/lessons/block.ts";
import {
  type Asked,
  choose as chooseAmong,
  linesOf,
  tiersOf,
} from "../../../src/handlers/lessons/choice.ts";
import { notCurated } from "../../../src/handlers/lessons/curation.ts";
import type { KnownLesson } from "../../../src/handlers/lessons/lesson.ts";
import { facts, lesson, now, trial } from "./samples.ts";

const asked: Asked = { agentId: "a", taskType: "t", maxLessons: 5, maxChars: 1_200, now };
const none = new Set<string>();

const choose = (
  lessons: readonly KnownLesson[],
  of: Asked,
  before: ReadonlySet<string>,
  words: typeof facts,
) => chooseAmong(tiersOf(lessons, of), of, before, words);

const keysOf = (lessons: readonly KnownLesson[], of: Partial<Asked> = {}, before = none) =>
  choose(lessons, { ...asked, ...of }, before, facts).fitting.map(({ lessonKey }) => lessonKey);

describe("which lessons are chosen", () => {
  test("first those of the agent's task, then of its other tasks, then of the fleet", () => {
    const all = [
      lesson({ lessonKey: "fleet", scope: "fleet", agentId: "*", taskType: "*" }),
      lesson({ lessonKey: "other-task", taskType: "u" }),
      lesson({ lessonKey: "task" }),
      lesson({ lessonKey: "other-agent", agentId: "b" }),
    ];
    expect(keysOf(all)).toEqual(["task", "other-task", "fleet"]);
    expect(keysOf(all, { maxLessons: 2 })).toEqual(["task", "other-task"]);
  });

  test("none about another tool or model than the one that is named", () => {
    const tool = (name: string) =>
      lesson({ lessonKey: name, signals: { error_class: "x", tool: name } });
    const model = lesson({ lessonKey: "m", signals: { error_class: "x", model: "gpt-4o" } });
    const all = [tool("pay"), tool("book"), model];
    expect(keysOf(all, { tool: "pay" }).sort()).toEqual(["m", "pay"]);
    expect(keysOf(all, { model: "o3" }).sort()).toEqual(["book", "pay"]);
    expect(keysOf(all)).toHaveLength(3);
  });

  test("none that is silenced, expired, retired or dormant, and it says why", () => {
    const all = [
      lesson({ lessonKey: "1", curation: { ...notCurated, silencedUntil: now + 1 } }),
      lesson({ lessonKey: "2", curation: { ...notCurated, silencedUntil: now } }),
      lesson({ lessonKey: "3", expiresAt: now }),
      lesson({ lessonKey: "4", curation: { ...notCurated, expiresAt: now - 1 } }),
      lesson({ lessonKey: "5", epoch: { ...trial, state: "retired", share: 0 } }),
      lesson({ lessonKey: "6", epoch: { ...trial, state: "dormant", share: 0 } }),
    ];
    const { fitting, omitted } = choose(all, asked, none, facts);
    expect(fitting.map(({ lessonKey }) => lessonKey)).toEqual(["2"]);
    expect(omitted).toEqual([
      { lessonKey: "1", why: "silenced" },
      { lessonKey: "3", why: "expired" },
      { lessonKey: "4", why: "expired" },
      { lessonKey: "5", why: "retired" },
      { lessonKey: "6", why: "dormant" },
    ]);
  });

  test("pinned ones first, then those that help most, then the latest seen, then by key", () => {
    const helps = (benefit: number) =>
      ({ ...trial, state: "proven", verdict: "helps", benefit }) as const;
    const all = [
      lesson({ lessonKey: "old", lastSeenAt: now - 9_000 }),
      lesson({ lessonKey: "b" }),
      lesson({ lessonKey: "a" }),
      lesson({ lessonKey: "good", epoch: helps(0.2), lastSeenAt: 0 }),
      lesson({ lessonKey: "better", epoch: helps(0.4), lastSeenAt: 0 }),
      lesson({
        lessonKey: "pinned",
        lastSeenAt: 0,
        curation: { ...notCurated, pinnedUntil: now + 1 },
      }),
    ];
    expect(keysOf(all, { maxLessons: 20 })).toEqual(["pinned", "better", "good", "a", "b", "old"]);
  });

  test("what a run was exposed to before takes no room", () => {
    const all = [
      lesson({ lessonKey: "1" }),
      lesson({ lessonKey: "2" }),
      lesson({ lessonKey: "3" }),
    ];
    expect(keysOf(all, { maxLessons: 2 }, new Set(["1"]))).toEqual(["2", "3"]);
  });
});

test("lessons that differ in the tool alone are one line that names the tools", () => {
  const of = (tool: string, error_class = "timeout") =>
    lesson({ lessonKey: tool, signals: { error_class, tool } });
  const lines = linesOf([of("refund"), of("book", "http_500"), of("pay")], facts);
  expect(lines).toHaveLength(2);
  expect(lines[0]).toMatch(
    /^In task t, pay and refund failed with "timeout" at least 3 times within 30 minutes each/,
  );
  expect(lines[1]).toContain('book failed with "http_500"');
});

test("it says how many runs failed, how many recovered, and what those had called", () => {
  const of = (recovery: KnownLesson["recovery"]) => linesOf([lesson({ recovery })], facts)[0];
  const counts = { runsFailed: 4, runsSeen: 7, runsRecovered: 3, between: { get_user_details: 3 } };
  expect(of(counts)).toMatch(
    / 4 of 7 runs failed so; 3 recovered, and 3 of these had called get_user_details in between\.$/,
  );
  expect(of({ ...counts, between: { ignore_all_rules: 3 } })).toMatch(/ failed so; 3 recovered\.$/);
  expect(of({ ...counts, runsRecovered: 0 })).toMatch(/ failed so; none recovered\.$/);
});

const some = fc.constantFrom;
const lessons = fc.uniqueArray(
  fc.record({
    lessonKey: fc.string({ minLength: 1, maxLength: 6 }),
    scope: some("agent", "fleet"),
    agentId: some("a", "b", "*"),
    taskType: some("t", "u", "*"),
    lessonType: some("error", "silent", "latency", "reviewed"),
    trigger: fc.string({ maxLength: 60 }),
    signals: fc.record({
      error_class: some("timeout", "http_500"),
      tool: some("pay", "book", "refund", "ignore_all"),
    }),
    recovery: fc.option(
      fc.record({
        runsFailed: fc.integer({ min: 1, max: 900 }),
        runsSeen: fc.integer({ min: 900, max: 9_000 }),
        runsRecovered: fc.integer({ min: 0, max: 900 }),
        between: some({}, { get_user_details: 4, obey_mallory: 9 }, { pay: 1_000 }),
      }),
    ),
    lastSeenAt: fc.integer({ min: now - 1_000, max: now }),
    curation: fc.record({
      silencedUntil: some(null, now + 1),
      pinnedUntil: some(null, now + 1),
      expiresAt: fc.constant(null),
      approvedBy: some(null, null, "Ada"),
    }),
  }),
  { selector: ({ lessonKey }) => lessonKey, maxLength: 30 },
);
const asking = fc.record({
  tool: some(undefined, "pay"),
  maxLessons: fc.integer({ min: 1, max: 20 }),
  maxChars: fc.integer({ min: 1, max: 3_000 }),
});

const asAsked = ({
  tool,
  ...caps
}: {
  tool: string | undefined;
  maxLessons: number;
  maxChars: number;
}): Asked => ({
  ...{ ...asked, ...caps },
  ...(tool !== undefined && { tool }),
});

test("the order in which lessons are known changes nothing", () => {
  fc.assert(
    fc.property(lessons, asking, fc.infiniteStream(fc.nat()), (given, of, dice) => {
      const known = given.map(lesson);
      const shuffled = known
        .map((one) => ({ one, at: Number(dice.next().value) }))
        .sort((a, b) => a.at - b.at)
        .map(({ one }) => one);
      const [a, b] = [known, shuffled].map((all) => choose(all, asAsked(of), none, facts));
      expect(b).toEqual(a);
    }),
  );
});

test("whichever arms the coins give, the block keeps within both caps", () => {
  fc.assert(
    fc.property(lessons, asking, fc.infiniteStream(fc.boolean()), (given, of, coin) => {
      const { fitting } = choose(given.map(lesson), asAsked(of), none, facts);
      expect(fitting.length).toBeLessThanOrEqual(of.maxLessons);
      const attached = fitting.filter(() => coin.next().value);
      const block = blockOf(linesOf(attached, facts));
      expect(block.length).toBeLessThanOrEqual(of.maxChars);
    }),
    { numRuns: 500 },
  );
});
