import { expect, test } from "vitest";
import { createExpectations } from "../../../src/handlers/extractor/expectations.ts";
import { absent } from "../../../src/kv/change.ts";

test("after two new signatures in a row the next is supposed to be new", () => {
  const expectations = createExpectations();
  expect(expectations.supposed()).toBeUndefined();
  expectations.turnedOut(true);
  expect(expectations.supposed()).toBeUndefined();
  expectations.turnedOut(true);
  expect(expectations.supposed()).toBe(absent);
});

test("one that had a document ends the row", () => {
  const expectations = createExpectations();
  for (const wasAbsent of [true, true, true, false, true]) expectations.turnedOut(wasAbsent);
  expect(expectations.supposed()).toBeUndefined();
});
