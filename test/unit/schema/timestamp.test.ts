import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseTimestamp } from "../../../src/schema/timestamp.ts";

const latest = Date.UTC(9999, 11, 31, 23, 59, 59, 999);
const times = fc.oneof(
  fc.integer({ min: 0, max: latest }),
  fc.integer({ min: Date.UTC(2000, 0, 1), max: Date.UTC(2040, 0, 1) }),
  fc.constantFrom(0, 1, latest, latest - 1, Date.UTC(2024, 1, 29), Date.UTC(2100, 1, 28)),
);

test("every time that Date writes is read as that time", () => {
  fc.assert(
    fc.property(times, (time) => {
      expect(parseTimestamp(new Date(time).toISOString())).toBe(time);
      expect(parseTimestamp(time)).toBe(time);
    }),
    { numRuns: 5_000 },
  );
});

test("offsets, short forms and other separators mean what Date says", () => {
  const offset = fc.tuple(
    fc.constantFrom("+", "-"),
    fc.integer({ min: 0, max: 23 }),
    fc.integer({ min: 0, max: 59 }),
  );
  fc.assert(
    fc.property(times, offset, (time, [sign, hours, minutes]) => {
      const day = 86_400_000;
      const inside = Math.min(Math.max(time, day), latest - day);
      const [hh, mm] = [hours, minutes].map((part) => String(part).padStart(2, "0"));
      const local = new Date(inside).toISOString().slice(0, -1);
      const expected = Date.parse(`${local}${sign}${hh}:${mm}`);
      expect(parseTimestamp(`${local}${sign}${hh}:${mm}`)).toBe(expected);
      expect(parseTimestamp(`${local}${sign}${hh}${mm}`)).toBe(expected);
      expect(parseTimestamp(`${local.replace("T", " ")} ${sign}${hh}:${mm}`)).toBe(expected);
      const whole = Date.parse(`${local.slice(0, 16)}${sign}${hh}:00`);
      expect(parseTimestamp(`${local.slice(0, 16)}${sign}${hh}`)).toBe(whole);
      expect(parseTimestamp(local)).toBe(inside);
      expect(parseTimestamp(local.slice(0, 10))).toBe(Math.floor(inside / day) * day);
    }),
    { numRuns: 2_000 },
  );
});

test("digits past the millisecond are dropped, missing ones are zero", () => {
  const fraction = fc.string({
    unit: fc.constantFrom(..."0123456789"),
    minLength: 1,
    maxLength: 12,
  });
  fc.assert(
    fc.property(fraction, fc.constantFrom(".", ","), (digits, mark) => {
      const second = Date.UTC(2026, 0, 2, 3, 4, 5);
      const expected = second + Math.floor(Number(`0.${digits}`) * 1_000 + 1e-9);
      expect(parseTimestamp(`2026-01-02T03:04:05${mark}${digits}Z`)).toBe(expected);
    }),
  );
});

test.each([
  ["2024-02-29", Date.UTC(2024, 1, 29)],
  ["2000-02-29T00:00:00Z", Date.UTC(2000, 1, 29)],
  ["2026-11-01T08:00:04.500000Z", Date.UTC(2026, 10, 1, 8, 0, 4, 500)],
  ["2026-11-01t08:00:04z", Date.UTC(2026, 10, 1, 8, 0, 4)],
  ["2026-11-01 08:00", Date.UTC(2026, 10, 1, 8)],
  ["9999-12-31T23:59:59.999Z", latest],
])("%j is a time", (text, expected) => {
  expect(parseTimestamp(text)).toBe(expected);
});

describe("no time is", () => {
  test.each([
    ..."2026-13-01 2026-00-10 2026-01-00 2026-01-32 2026-04-31 2025-02-29 2100-02-29".split(" "),
    ..."2026-01-01T24:00:00Z 2026-01-01T23:60:00Z 2026-01-01T23:59:60Z".split(" "),
    ..."2026-01-01T00:00:00+24:00 2026-01-01T00:00:00+00:60 2026-01-01T00:00:00+1".split(" "),
    ..."2026-1-1 26-01-01 2026-01-01T 2026-01-01T08 2026-01-01T08:00:00.Z".split(" "),
    ..."+012026-01-01T00:00:00Z -000001-01-01T00:00:00Z 12026-01-01 20260101 2026-W01-1".split(" "),
    ..."now 0 1767225600000 NaN Infinity ２０２６-01-01".split(" "),
    "",
    " 2026-01-01",
    "2026-01-01 ",
    "2026-01-01T00:00:00Z\n",
    "2026-01-01T00:00:00.1234567890123Z",
    "Thu, 01 Jan 2026 00:00:00 GMT",
    "9999-12-31T23:59:59.999-00:01",
  ])("%j", (text) => {
    expect(parseTimestamp(text)).toBeNull();
  });

  test.each([-1, -0.5, latest + 1, 1e300, Number.NaN, Infinity, -Infinity])(
    "the number %s",
    (n) => {
      expect(parseTimestamp(n)).toBeNull();
    },
  );

  test.each([
    ..."0000-01-01T00:00:00Z 0000-12-31T23:59:59+00:01 0001-01-01T00:00:00+00:01".split(" "),
    ..."1969-12-31T23:59:59.999Z 1970-01-01T00:00:00+00:01".split(" "),
  ])("%j, which lies before the epoch as a negative number would", (text) => {
    expect(parseTimestamp(text)).toBeNull();
  });
});

test("a fraction of a millisecond is cut off a number", () => {
  expect(parseTimestamp(1_767_225_600_000.9)).toBe(1_767_225_600_000);
});

test("no text takes long, and each gives a time in bounds or none", () => {
  const part = fc.constantFrom(..."0123456789-:TtZz+., ".split(""), "2026-01-01", "T00:00:00");
  fc.assert(
    fc.property(fc.array(part, { maxLength: 64 }), (parts) => {
      const time = parseTimestamp(parts.join("").slice(0, 64));
      if (time !== null) expect(time).toBeLessThanOrEqual(latest);
    }),
    { numRuns: 5_000 },
  );
});
