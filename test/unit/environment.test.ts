import { expect, test } from "vitest";
import { bytesIn, someIn } from "../../src/settings/environment.ts";

test.each([
  ["1048576", 1_048_576],
  ["512K", 524_288],
  ["10MiB", 10_485_760],
  ["1.5g", 1_610_612_736],
  ["2 TB", 2 * 1_024 ** 4],
  ["100B", 100],
  ["", 0],
  ["10X", 0],
  ["-1G", 0],
])("%s is %d bytes", (text, bytes) => {
  expect(bytesIn(text)).toBe(bytes);
});

const values = ["extractor", "runs", "health"] as const;

test.each([
  ["", values],
  ["all", values],
  ["runs, all", values],
  ["health,Runs,", ["runs", "health"]],
  ["recorder", ["runs"]],
  ["runs,unknown", null],
])("of a list, %j names %j", (text, some) => {
  expect(someIn(text, values, { recorder: "runs" })).toEqual(some);
});
