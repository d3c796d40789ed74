import { describe, expect, test } from "vitest";
import {
  type Granted,
  judgePermissions,
  missingPermissions,
  nameOfPermission,
  type Permission,
} from "../../../src/nats/grants.ts";
import { overlapsSubject } from "../../../src/nats/subject-pattern.ts";

const publish = (subject: string): Permission => ({ operation: "publish", subject, why: "w" });
const subscribe = (subject: string, queue?: string): Permission => ({
  ...{ operation: "subscribe", subject, why: "w" },
  ...(queue !== undefined && { queue }),
});
const respond: Permission = { operation: "respond", subject: "_INBOX.>", why: "answers requests" };

const isGranted = (granted: Granted, permission: Permission) =>
  missingPermissions(granted, [permission]).length === 0;

test("a user without permissions in the server's answer may do everything", () => {
  for (const one of [publish("a"), subscribe("a", "q"), respond]) {
    expect(isGranted(null, one)).toBe(true);
  }
});

test.each([
  [["a.b"], [], "a.b", true],
  [["a.*"], [], "a.b", true],
  [["a.>"], [], "a.b.c", true],
  [["a.*"], [], "a.b.c", false],
  [["a.b"], [], "a.*", false],
  [["a.*"], [], "a.>", false],
  [["a.>"], [], "a.*.c", true],
  [["a.>"], ["a.b"], "a.b", false],
  [["a.>"], ["a.b"], "a.*", false],
  [["a.>"], ["a.b"], "a.c", true],
  [["a.>"], ["*.*.c"], "a.>", false],
  [undefined, ["a.b"], "a.c", true],
  [undefined, undefined, "a.c", true],
  [[], [], "a", false],
])("publishing: of allow %j and deny %j, %s is granted: %j", (allow, deny, subject, expected) => {
  const lists = { ...(allow && { allow }), ...(deny && { deny }) };
  expect(isGranted({ publish: lists, subscribe: {} }, publish(subject))).toBe(expected);
});

describe("queue groups", () => {
  test.each([
    [["s"], [], "q", true],
    [["s q"], [], "q", true],
    [["s q"], [], undefined, false],
    [["s q*"], [], "q", false],
    [["s v1.*"], [], "v1.a", true],
    [["s other", "s"], [], "q", false],
    [["s other", "s"], [], undefined, true],
    [["> q"], [], "q", true],
    [["s"], ["s q"], "q", false],
    [["s"], ["s q"], "p", true],
    [["s"], ["s q"], undefined, true],
    [["s q"], ["s"], "q", false],
  ])(
    "of allow %j and deny %j, a subscription in %j is granted: %j",
    (allow, deny, queue, expected) => {
      expect(isGranted({ publish: {}, subscribe: { allow, deny } }, subscribe("s", queue))).toBe(
        expected,
      );
    },
  );
});

test("whoever may only respond may publish nothing else", () => {
  const granted = { publish: {}, subscribe: {}, responses: { max: 1, ttl: 1 } };
  expect(isGranted(granted, respond)).toBe(true);
  expect(isGranted(granted, publish("a"))).toBe(false);
});

test("whoever may publish to inboxes may respond", () => {
  expect(isGranted({ publish: { allow: ["_INBOX.>"] } }, respond)).toBe(true);
  expect(isGranted({ publish: { allow: ["a.>"] } }, respond)).toBe(false);
});

test("each needed permission is judged, one by one", () => {
  const judged = judgePermissions({ publish: { allow: ["a"] } }, [publish("a"), publish("b")]);
  expect(judged.map(({ subject, isGranted }) => [subject, isGranted])).toEqual([
    ["a", true],
    ["b", false],
  ]);
});

test("a permission has a name that says what it is for", () => {
  expect(nameOfPermission(publish("a"))).toBe('publish to "a" (w)');
  expect(nameOfPermission(subscribe("a", "q"))).toBe('subscribe to "a" in queue group "q" (w)');
  expect(nameOfPermission(respond)).toBe("allow_responses (answers requests)");
});

test.each([
  ["a", "a", true],
  ["a", "b", false],
  ["a.*", "*.b", true],
  ["a.*", "b.*", false],
  ["a.>", "a", false],
  ["a.>", "*.b.c", true],
  [">", "a.b", true],
  ["a.b", "a.b.c", false],
])("a subject that both %s and %s match: %j", (one, other, expected) => {
  expect(overlapsSubject(one, other)).toBe(expected);
  expect(overlapsSubject(other, one)).toBe(expected);
});
