import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseTimestamp, readTime, unset } from "../../../src/schema/timestamp.ts";

const earliest = 1e11;
const latest = Date.UTC(9999, 11, 31, 23, 59, 59, 999);
const times = fc.oneof(
  fc.integer({ min: earliest, max: latest }),
  fc.integer({ min: Date.UTC(2000, 0, 1), max: Date.UTC(2040, 0, 1) }),
  fc.constantFrom(earliest, latest, latest - 1, Date.UTC(2024, 1, 29), Date.UTC(2100, 1, 28)),
);
const day = 86_400_000;
const pad = (value: number, width = 2) => String(value).padStart(width, "0");

describe("one instant is one time, however it is written", () => {
  /** Whole milliseconds: what every spelling can hold. */
  const recent = fc.oneof(
    fc.integer({ min: Date.UTC(2001, 8, 9, 2), max: Date.UTC(2200, 0, 1) }),
    fc
      .integer({ min: Date.UTC(2026, 0, 1) / 1_000, max: Date.UTC(2027, 0, 1) / 1_000 })
      .map((seconds) => seconds * 1_000),
  );

  test("as a number of seconds, ms, µs or ns, and as its digits", () => {
    fc.assert(
      fc.property(recent, (time) => {
        const numbers = [time / 1_000, time, time * 1_000, time * 1e6];
        expect(numbers.map(readTime)).toEqual([time, time, time, time]);
        const seconds = Math.floor(time / 1_000) * 1_000;
        expect(readTime(String(seconds / 1_000))).toBe(seconds);
        expect(readTime((time / 1_000).toFixed(3))).toBe(time);
        expect(readTime(`${time}`)).toBe(time);
        expect(readTime(`${time}000`)).toBe(time);
        expect(readTime(`${time}999999`)).toBe(time);
      }),
      { numRuns: 5_000 },
    );
  });

  test("with Z as with an offset of nothing, whether the calendar has that day or not", () => {
    const part = (max: number, width = 2) => fc.integer({ min: 0, max }).map((n) => pad(n, width));
    const year = fc.constantFrom(
      "0099",
      "1979",
      "1980",
      "1999",
      "2000",
      "2024",
      "2026",
      "2100",
      "9999",
    );
    const fraction = fc.stringMatching(/^(?:[.][0-9]{1,9})?$/);
    const parts = fc.tuple(year, part(13), part(32), part(24), part(61), part(61), fraction);
    fc.assert(
      fc.property(parts, fc.constantFrom("", "x", "0", " "), ([y, mo, d, h, m, s, rest], more) => {
        const text = `${y}-${mo}-${d}T${h}:${m}:${s}${rest}`;
        expect(readTime(`${text}${more}Z`)).toBe(readTime(`${text}${more}+00:00`));
      }),
      { numRuns: 20_000 },
    );
  });

  test("as a date of the calendar, of the week and of the year, in basic and in extended form", () => {
    fc.assert(
      fc.property(recent, (time) => {
        const iso = new Date(time).toISOString();
        const [ymd = "", hms = ""] = iso.slice(0, -1).split("T");
        const date = new Date(time);
        const start = Date.UTC(date.getUTCFullYear(), 0, 1);
        const ordinal = pad(Math.floor((time - start) / day) + 1, 3);
        const weekday = date.getUTCDay() || 7;
        // The year of a week is that of its Thursday.
        const thursday = new Date(time + (4 - weekday) * day);
        const weekYear = thursday.getUTCFullYear();
        const week = pad(Math.floor((thursday.getTime() - Date.UTC(weekYear, 0, 1)) / day / 7) + 1);
        const dates = [
          [ymd, ymd.replaceAll("-", "")],
          [`${weekYear}-W${week}-${weekday}`, `${weekYear}W${week}${weekday}`],
          [`${ymd.slice(0, 4)}-${ordinal}`, `${ymd.slice(0, 4)}${ordinal}`],
        ];
        for (const [extended, basic] of dates) {
          expect(readTime(`${extended}T${hms}Z`)).toBe(time);
          expect(readTime(`${basic}T${hms.replaceAll(":", "")}Z`)).toBe(time);
          expect(readTime(`${extended} ${hms}`)).toBe(time);
        }
      }),
      { numRuns: 2_000 },
    );
  });

  test("in whatever zone, and however the zone is spelled", () => {
    const offset = fc.tuple(fc.constantFrom(1, -1), fc.nat(23), fc.nat(59), fc.nat(59));
    fc.assert(
      fc.property(recent, offset, (time, [sign, hours, minutes, seconds]) => {
        const at = (ms: number) => new Date(time + sign * ms).toISOString().slice(0, -1);
        const [mark, hh, mm, ss] = [sign === 1 ? "+" : "-", pad(hours), pad(minutes), pad(seconds)];
        const toMinute = at((hours * 60 + minutes) * 60_000);
        const zones = [`${mark}${hh}:${mm}`, `${mark}${hh}${mm}`, ` ${mark}${hh}${mm}`];
        zones.push(`${mark}${hh}:${mm}[America/New_York]`, `${mark}${hh}:${mm}[!u-ca=iso8601]`);
        if (sign === -1) zones.push(`\u2212${hh}:${mm}`);
        for (const zone of zones) expect(readTime(toMinute + zone)).toBe(time);
        expect(readTime(`${at(hours * 3_600_000)}${mark}${hh}`)).toBe(time);
        const toSecond = at(((hours * 60 + minutes) * 60 + seconds) * 1_000);
        expect(readTime(`${toSecond}${mark}${hh}:${mm}:${ss}`)).toBe(time);
        for (const utc of ["Z", "z", " Z", " UTC", " GMT", "+00", "-00:00", " +0000 UTC", "Z[UTC]"])
          expect(readTime(new Date(time).toISOString().replace("Z", utc))).toBe(time);
      }),
      { numRuns: 1_000 },
    );
  });
});

test("every time that Date writes is read as that time", () => {
  fc.assert(
    fc.property(times, (time) => {
      expect(parseTimestamp(new Date(time).toISOString())).toBe(time);
    }),
    { numRuns: 5_000 },
  );
});

test("digits past the millisecond are dropped, missing ones are zero", () => {
  const fraction = fc.string({
    unit: fc.constantFrom(..."0123456789"),
    minLength: 1,
    maxLength: 18,
  });
  fc.assert(
    fc.property(fraction, fc.constantFrom(".", ","), (digits, mark) => {
      const second = Date.UTC(2026, 0, 2, 3, 4, 5);
      const expected = second + Number(digits.slice(0, 3).padEnd(3, "0"));
      expect(parseTimestamp(`2026-01-02T03:04:05${mark}${digits}Z`)).toBe(expected);
      expect(parseTimestamp(`20260102T030405${mark}${digits}+0000`)).toBe(expected);
    }),
  );
});

test.each<[string | number, number]>([
  ["2024-02-29", Date.UTC(2024, 1, 29)],
  ["2000-02-29T00:00:00Z", Date.UTC(2000, 1, 29)],
  ["2026-11-01T08:00:04.500000Z", Date.UTC(2026, 10, 1, 8, 0, 4, 500)],
  ["2026-11-01t08:00:04z", Date.UTC(2026, 10, 1, 8, 0, 4)],
  ["2026-11-01 08:00", Date.UTC(2026, 10, 1, 8)],
  ["2026-11-01T08", Date.UTC(2026, 10, 1, 8)],
  ["2026-11-01T08.25Z", Date.UTC(2026, 10, 1, 8, 15)],
  ["2026-11-01T08:30,5Z", Date.UTC(2026, 10, 1, 8, 30, 30)],
  ["2026-11", Date.UTC(2026, 10, 1)],
  ["2026-W01", Date.UTC(2025, 11, 29)],
  ["2020-W53-7", Date.UTC(2021, 0, 3)],
  ["2024-366", Date.UTC(2024, 11, 31)],
  ["20261101", Date.UTC(2026, 10, 1)],
  ["2026-10-31T24:00:00Z", Date.UTC(2026, 10, 1)],
  ["20261031T24Z", Date.UTC(2026, 10, 1)],
  ["2016-12-31T23:59:60Z", Date.UTC(2017, 0, 1)],
  ["2016-12-31T23:59:60.5Z", Date.UTC(2017, 0, 1, 0, 0, 0, 500)],
  ["2017-01-01T05:29:60+05:30", Date.UTC(2017, 0, 1)],
  ["1793520000", 1_793_520_000_000],
  ["1793520000.25", 1_793_520_000_250],
  ["1793520000250", 1_793_520_000_250],
  ["1793520000250999", 1_793_520_000_250],
  ["1793520000250999999", 1_793_520_000_250],
  [1_793_520_000, 1_793_520_000_000],
  [1_793_520_000.123456, 1_793_520_000_123],
  [1_767_225_600_000.9, 1_767_225_600_000],
  [1e8, 1e11],
  [1e11, 1e11],
  [1e14, 1e11],
  [1e17, 1e11],
  ["9999-12-31T23:59:59.999Z", latest],
])("%j is a time", (value, expected) => {
  expect(readTime(value)).toBe(expected);
});

describe("of a clock that was not set is", () => {
  test.each([
    ...[0, -0, -1, 1, 0.5, 99_999_999, -1e300],
    ..."0 -1 -62135596800 0001-01-01T00:00:00Z 0001-01-01 0000-01-01T00:00:00Z".split(" "),
    ..."1970-01-01T00:00:00Z 1969-12-31T23:59:59.999Z 1970-01-01T00:00:00+00:01".split(" "),
  ])("%j", (value) => {
    expect([readTime(value), parseTimestamp(value)]).toEqual([unset, null]);
  });
});

describe("no time is", () => {
  test.each([
    ..."2026-13-01 2026-00-10 2026-01-00 2026-01-32 2026-04-31 2025-02-29 2100-02-29".split(" "),
    ..."2026-000 2025-366 2026-W00-1 2026-W54-1 2021-W53-1 2026-W01-8 2026-W01-0".split(" "),
    ..."2026-01-01T24:00:01Z 2026-01-01T24:01Z 2026-01-01T25:00Z 2026-01-01T23:60:00Z".split(" "),
    ..."2026-01-01T12:34:60Z 2026-01-01T23:59:61Z 2026-01-01T23:59:60+01:00".split(" "),
    ..."2026-01-01T00:00:00+24:00 2026-01-01T00:00:00+00:60 2026-01-01T00:00:00+1".split(" "),
    ..."2026-01-01T00:00:00[Europe/Paris] 2026-01-01Z 2026-01-01T00:00:00EST".split(" "),
    ..."2026-1-1 26-01-01 2026-01-01T 2026-01-01T08:00:00.Z 202611 2026 17935200".split(" "),
    ..."+012026-01-01T00:00:00Z -000001-01-01T00:00:00Z 12026-01-01 179352000025".split(" "),
    ..."now NaN Infinity 1e9 1793520000.Z ２０２６-01-01".split(" "),
    "",
    " 2026-01-01",
    "2026-01-01 ",
    "2026-01-01T00:00:00Z\n",
    "Thu, 01 Jan 2026 00:00:00 GMT",
    "9999-12-31T23:59:59.999-00:01",
    ...[2.6e20, 1e300, Number.NaN, Infinity, -Infinity],
  ])("%j", (value) => {
    expect(readTime(value)).toBeNull();
  });
});

test("no text takes long, and each gives a time in bounds or none", () => {
  const part = fc.constantFrom(
    ..."0123456789-:TtZzW+., []/".split(""),
    ...["2026-01-01", "T00:00:00", "[UTC]", "00"],
  );
  fc.assert(
    fc.property(fc.array(part, { maxLength: 128 }), (parts) => {
      const time = parseTimestamp(parts.join("").slice(0, 128));
      if (time === null) return;
      expect(time).toBeLessThanOrEqual(latest);
      expect(time).toBeGreaterThanOrEqual(earliest);
    }),
    { numRuns: 5_000 },
  );
});
