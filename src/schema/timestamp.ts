const iso8601 =
  /^(\d{4})-(\d\d)-(\d\d)(?:[Tt ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,12}))?)?\s?([Zz]|[+-]\d\d(?::?\d\d)?)?)?$/;

/** What nearly every producer writes, on a day that every month has: the engine's own parser is faster. */
const usual =
  /^(?:19[7-9]\d|[2-9]\d{3})-(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{3})?Z$/;

/** 9999-12-31T23:59:59.999Z: the last time that four-digit years and Postgres both hold. */
export const latestTime = 253_402_300_799_999;

/**
 * Epoch ms of an ISO 8601 text or an epoch-ms number; null when it is no time. Digits past the
 * millisecond are dropped; a text without an offset is UTC, not the replica's local time.
 */
export function parseTimestamp(value: string | number): number | null {
  if (typeof value === "number") {
    return value >= 0 && value <= latestTime ? Math.floor(value) : null;
  }
  if (usual.test(value)) return Date.parse(value);
  const match = iso8601.exec(value);
  if (!match) return null;
  const [, year, month, day, hour = "0", minute = "0", second = "0", fraction = "", zone] = match;
  const offsetMinutes = parseOffset(zone);
  if (offsetMinutes === null || +hour > 23 || +minute > 59 || +second > 59) return null;
  const date = new Date(0);
  date.setUTCFullYear(Number(year), Number(month) - 1, Number(day));
  // A day that the month does not have rolls over into the next one.
  if (date.getUTCMonth() !== Number(month) - 1 || date.getUTCDate() !== Number(day)) return null;
  const ms = Number(fraction.slice(0, 3).padEnd(3, "0"));
  date.setUTCHours(Number(hour), Number(minute) - offsetMinutes, Number(second), ms);
  const time = date.getTime();
  return time < 0 || time > latestTime ? null : time;
}

function parseOffset(zone: string | undefined): number | null {
  if (zone === undefined || zone === "Z" || zone === "z") return 0;
  const hours = Number(zone.slice(1, 3));
  const minutes = Number(zone.slice(3).replace(":", "") || "0");
  if (hours > 23 || minutes > 59) return null;
  return (zone.startsWith("-") ? -1 : 1) * (hours * 60 + minutes);
}
