import { expect, test } from "vitest";
import { withRemedy } from "../../../src/embedded/obstacles.ts";

test.each([
  ["ENOSPC: no space left on device, mkdir '/d/x'", /\/d\/x.* \(the disk is full: make room/],
  ["FATAL:  could not write lock file: No space left on device", /the disk is full/],
  ["EDQUOT: disk quota exceeded, write", /the disk is full/],
  ["EROFS: read-only file system, open '/d'", /the disk is read-only: choose a folder/],
  ["EACCES: permission denied, mkdir '/root/x'", /it is not permitted: choose a folder/],
  ["initdb: could not look up effective user ID 54321: user does not exist", /has no name: run it/],
])("of %j the way out is said", (text, expected) => {
  const told = withRemedy(new Error(text));
  expect(told).toMatch(expected);
  expect(withRemedy(new Error(told))).toBe(told);
});

test("what has no remedy here is left as it is", () => {
  expect(withRemedy(new Error("port taken"))).toBe("port taken");
});
