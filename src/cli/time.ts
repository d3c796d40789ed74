import { InvalidArgumentError } from "commander";
import { parseTimestamp } from "../schema/timestamp.ts";

const unitMs: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1e3,
  m: 60e3,
  h: 3_600e3,
  d: 86_400e3,
};

/** Seconds, from a plain number of them or a duration (`500ms`, `2s`, `1m`); an hour at most. */
export function seconds(text: string): number {
  const [, count, unit = "s"] = /^(\d*\.?\d+)(ms|s|m|h)?$/.exec(text) ?? [];
  const value = (Number(count) * (unitMs[unit] ?? 0)) / 1_000;
  if (value >= 0.001 && value <= 3_600) return value;
  throw new InvalidArgumentError("a time like 2s, 500ms or 1m, or a number of seconds.");
}

/** So long ago, as epoch ms; anything else as it is. */
export function moment(text: string): string | number {
  const [, count, unit = ""] = /^(\d+(?:\.\d+)?)([smhd])$/.exec(text) ?? [];
  return count === undefined ? text : Date.now() - Number(count) * (unitMs[unit] ?? 0);
}

/** Epoch ms. */
export function since(text: string): number {
  const time = parseTimestamp(moment(text));
  if (time !== null) return time;
  throw new InvalidArgumentError("an ISO 8601 time, or so long ago: 90s, 15m, 2h, 7d.");
}

export function atLeastOne(text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value > 0) return value;
  throw new InvalidArgumentError("a whole number from 1 on.");
}

/** How long ago an ISO 8601 time was, in its largest unit: 45s, 12m, 3h, 8d. */
export function age(time: string, now = Date.now()): string {
  const seconds = Math.max(0, Math.round((now - Date.parse(time)) / 1_000));
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 3_600) return `${Math.floor(seconds / 60)}m`;
  if (seconds < 48 * 3_600) return `${Math.floor(seconds / 3_600)}h`;
  return `${Math.floor(seconds / 86_400)}d`;
}
