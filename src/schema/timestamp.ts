/**
 * Times as producers write them. Pure, and the one place that says what a time means, for every entrance: events,
 * signals, feedback, runs, requests and commands.
 */

/** 9999-12-31T23:59:59.999Z: the last time that four-digit years and Postgres both hold. */
export const latestTime = 253_402_300_799_999;

/** What a time before 1973-03-03 means: clocks that were never set write 0, -1 or the year 1. */
export const unset = "unset";
const earliestTime = 1e11;

/** Said of a text or number that is no time. */
export const expectedTime = "expected ISO 8601, or an epoch time in s, ms, µs or ns";

/**
 * Epoch ms of a time, rounded down; `unset` where a producer's clock was not; null when it is no time.
 *
 * A number is read by its size: below 1e11 seconds, below 1e14 milliseconds, below 1e17 microseconds, else
 * nanoseconds; a text of 10, 13, 16 or 19 digits alike. Every other text is ISO 8601 (2004) as people write it:
 * basic and extended form, calendar, week and ordinal dates, reduced precision, 24:00, a leap second, an offset
 * in any spelling, and behind it a zone's name in brackets (RFC 9557). Without an offset it is UTC, not the
 * replica's local time.
 */
export function readTime(value: string | number): number | typeof unset | null {
  const time = typeof value === "number" ? fromNumber(value) : fromText(value);
  if (time === null || time > latestTime) return null;
  return time < earliestTime ? unset : time;
}

/** The same, and null for `unset`, too. */
export function parseTimestamp(value: string | number): number | null {
  const time = readTime(value);
  return time === unset ? null : time;
}

/** A float is a little off where seconds have a fraction and nanoseconds too many digits: by less than this, in ms. */
const roundingMs = 0.001;

function fromNumber(value: number): number | null {
  if (!Number.isFinite(value)) return null;
  return Math.floor(value * msOfUnit(value) + roundingMs);
}

function msOfUnit(value: number): number {
  if (value < 1e11) return 1_000;
  if (value < 1e14) return 1;
  return value < 1e17 ? 1e-3 : 1e-6;
}

/** What nearly every producer writes, with an offset, on a day that every month has: the engine's own parser is faster. */
const usual =
  /^(?:19[89]\d|[2-9]\d{3})-(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,9})?(?:Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)$/;

/** The others have 13, 16 or 19 digits; nanoseconds and what is finer are cut off, for no float holds them. */
const epochDigits = /^(\d{10})(?:[.,](\d{1,12})|(\d{3})|(\d{6})|(\d{9}))?$/;
const unsetDigits = /^(?:0|-\d{1,19})$/;

const date =
  /(?<year>\d{4})(?:-(?<month>\d\d)(?:-(?<day>\d\d))?|(?<month2>\d\d)(?<day2>\d\d)|-?W(?<week>\d\d)(?:-?(?<weekday>[1-7]))?|-?(?<ordinal>\d{3}))/;
const clock =
  /(?<hour>\d\d)(?::?(?<minute>\d\d)(?::?(?<second>\d\d))?)?(?:[.,](?<fraction>\d{1,18}))?/;
const zone =
  /(?:(?:[Zz]|UTC|GMT|(?<sign>[+\-\u2212])(?<zh>\d\d)(?::?(?<zm>\d\d)(?::?(?<zs>\d\d))?)?(?: (?:UTC|GMT))?)(?:\[[\w/+:=!-]{1,64}\])*)/;
const iso8601 = new RegExp(`^${date.source}(?:[Tt ]${clock.source}(?: ?${zone.source})?)?$`);

/** The date that was read last, as `yyyymmdd`, and its day: nearly all events are of one. */
let lastDate = 0;
let lastDay = Number.NaN;

/** Of `2026-12-08T01:02:03.456Z`, with any digits of a fraction or none, since 1980; NaN: of anything else. */
function fromUtc(text: string): number {
  const end = text.length - 1;
  const isWhole = end === 19;
  if (!(isWhole || (end > 20 && end < 30)) || text.charCodeAt(end) !== 90) return Number.NaN;
  const marks =
    text.charCodeAt(4) === 45 &&
    text.charCodeAt(7) === 45 &&
    text.charCodeAt(10) === 84 &&
    text.charCodeAt(13) === 58 &&
    text.charCodeAt(16) === 58 &&
    (isWhole || text.charCodeAt(19) === 46);
  if (!marks) return Number.NaN;
  const hour = digits(text, 11, 13);
  const minute = digits(text, 14, 16);
  const second = digits(text, 17, 19);
  // NaN is no less than anything.
  if (!(hour < 24 && minute < 60 && second < 60)) return Number.NaN;
  const date = digits(text, 0, 4) * 10_000 + digits(text, 5, 7) * 100 + digits(text, 8, 10);
  if (date !== lastDate) {
    lastDay = dayOfDate(date);
    lastDate = date;
  }
  const ms = isWhole ? 0 : fractionMs(text, 20, end);
  return lastDay + ((hour * 60 + minute) * 60 + second) * 1_000 + ms;
}

/** Of the digits there; what is finer is cut off. */
function fractionMs(text: string, from: number, to: number): number {
  const finer = digits(text, from + 3, to);
  if (to - from > 2) return Number.isNaN(finer) ? finer : digits(text, from, from + 3);
  return digits(text, from, to) * (to - from === 2 ? 10 : 100);
}

function digits(text: string, from: number, to: number): number {
  let value = 0;
  for (let at = from; at < to; at++) {
    const digit = text.charCodeAt(at) - 48;
    if (digit < 0 || digit > 9) return Number.NaN;
    value = value * 10 + digit;
  }
  return value;
}

/** Epoch ms; NaN where the calendar has no such day, and before 1980. */
function dayOfDate(date: number): number {
  const [year, month, day] = [Math.floor(date / 10_000), Math.floor(date / 100) % 100, date % 100];
  const found = Date.UTC(year, month - 1, day);
  const isThere = new Date(found).getUTCMonth() === month - 1 && month > 0 && day > 0;
  return year >= 1980 && isThere ? found : Number.NaN;
}

type Parts = Readonly<Record<string, string | undefined>>;

function fromText(text: string): number | null {
  const utc = fromUtc(text);
  if (!Number.isNaN(utc)) return utc;
  if (usual.test(text)) return Date.parse(text);
  const [digits, seconds = "", ...fractions] = epochDigits.exec(text) ?? [];
  if (digits !== undefined) {
    const fraction = fractions.find((part) => part !== undefined) ?? "";
    return Number(seconds) * 1_000 + millisecondsOf(fraction);
  }
  if (unsetDigits.test(text)) return 0;
  const parts: Parts | undefined = iso8601.exec(text)?.groups;
  if (parts === undefined) return null;
  const day = dayOf(parts);
  const offset = offsetOf(parts);
  const time = timeOf(parts, offset);
  return day === null || offset === null || time === null ? null : day + time - offset;
}

/** Epoch ms of its beginning; null where the calendar has no such day. */
function dayOf({ year, month, day, month2, day2, week, weekday, ordinal }: Parts): number | null {
  if (week !== undefined) return weekDay(Number(year), Number(week), Number(weekday ?? 1));
  if (ordinal !== undefined) {
    const found = utcDay(Number(year), 0, Number(ordinal));
    return Number(ordinal) >= 1 && yearOf(found) === Number(year) ? found : null;
  }
  const found = utcDay(Number(year), Number(month ?? month2) - 1, Number(day ?? day2 ?? 1));
  const [y, m, d] = [yearOf(found), new Date(found).getUTCMonth(), new Date(found).getUTCDate()];
  // A day that the month does not have rolls over into the next one.
  const isThere =
    y === Number(year) && m === Number(month ?? month2) - 1 && d === Number(day ?? day2 ?? 1);
  return isThere ? found : null;
}

/** Week 1 is the one with 4 January, and begins on a Monday. */
function weekDay(year: number, week: number, weekday: number): number | null {
  const monday = mondayOfWeek1(year) + (week - 1) * 7 * dayMs;
  const isThere = week >= 1 && monday < mondayOfWeek1(year + 1);
  return isThere ? monday + (weekday - 1) * dayMs : null;
}

function mondayOfWeek1(year: number): number {
  const fourth = utcDay(year, 0, 4);
  return fourth - ((new Date(fourth).getUTCDay() + 6) % 7) * dayMs;
}

const dayMs = 86_400_000;

/** `Date.UTC` takes years below 100 for those of the last century. */
function utcDay(year: number, month: number, day: number): number {
  return new Date(0).setUTCFullYear(year, month, day);
}

function yearOf(time: number): number {
  return new Date(time).getUTCFullYear();
}

/** Of the day, in ms; null where no clock shows it. */
function timeOf({ hour, minute, second, fraction = "" }: Parts, offset: number | null) {
  const [h, m, s] = [Number(hour ?? 0), Number(minute ?? 0), Number(second ?? 0)];
  const finest = second === undefined ? (minute === undefined ? 3_600_000 : 60_000) : 1_000;
  const part = finest === 1_000 ? millisecondsOf(fraction) : Math.floor(+`0.${fraction}0` * finest);
  const time = ((h * 60 + m) * 60 + s) * 1_000 + part;
  if (h > 23 && time !== dayMs) return null;
  if (m > 59 || s > 60) return null;
  // UTC puts leap seconds at the end of its days; the clocks of computers count them as the next second.
  const minuteOfUtc = (h * 60 + m) * 60_000 - (offset ?? 0);
  const isLast = (minuteOfUtc + dayMs + 60_000) % dayMs === 0;
  return s === 60 && !isLast ? null : time;
}

function offsetOf({ sign, zh, zm, zs }: Parts): number | null {
  const [h, m, s] = [Number(zh ?? 0), Number(zm ?? 0), Number(zs ?? 0)];
  if (h > 23 || m > 59 || s > 59) return null;
  return (sign === undefined || sign === "+" ? 1 : -1) * ((h * 60 + m) * 60 + s) * 1_000;
}

/** Of the digits behind the decimal mark of a second. */
function millisecondsOf(fraction: string): number {
  return Number(fraction.slice(0, 3).padEnd(3, "0"));
}
