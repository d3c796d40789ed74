import fc from "fast-check";
import { Type } from "typebox";
import { expect, test } from "vitest";
import { BusError } from "../../../src/errors.ts";
import {
  cursorOf,
  cursorSchema,
  idInPlace,
  momentInPlace,
  timeInPlace,
} from "../../../src/schema/cursor.ts";

const runs = cursorOf(Type.Tuple([timeInPlace, idInPlace]));
const encoded = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");

test("a place comes back as it was, and its cursor fits a request", () => {
  const id = fc
    .string({ unit: "binary", minLength: 1, maxLength: 128 })
    .filter((text) => text.isWellFormed() && text.length <= 128 && !text.includes("\0"));
  const { maxLength } = cursorSchema as unknown as { maxLength: number };
  const property = fc.property(fc.nat(), id, (time, run) => {
    const cursor = runs.at(time, run);
    expect(runs.placeOf(cursor)).toEqual([time, run]);
    expect(cursor).toMatch(/^[\w-]+$/);
    expect(cursor.length).toBeLessThanOrEqual(maxLength);
  });
  fc.assert(property);
});

test.each([
  "",
  "x",
  "!",
  encoded(null),
  encoded({}),
  encoded([]),
  encoded([1]),
  encoded([1, "a", 2]),
  encoded(["a", 1]),
  encoded([1, "a\0"]),
  encoded([-1, "a"]),
])("%s is no cursor of a reply", (cursor) => {
  const refusal = new BusError(
    "bad_request",
    "invalid cursor: pass the `cursor` of a previous reply",
  );
  expect(() => runs.placeOf(cursor)).toThrow(refusal);
});

test("a time that is none is no place", () => {
  const moments = cursorOf(Type.Tuple([momentInPlace]));
  const moment = "2026-02-03T04:05:06.123456Z";
  expect(moments.placeOf(moments.at(moment))).toEqual([moment]);
  for (const text of ["2026-13-03T04:05:06Z", "infinity", "2026-02-03"]) {
    expect(() => moments.placeOf(moments.at(text))).toThrow("invalid cursor");
  }
});
