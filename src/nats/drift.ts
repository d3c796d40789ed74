import type { StreamConfig } from "@nats-io/jetstream";
import { BusError } from "../errors.ts";
import type { Logger } from "../log.ts";
import type { WantedStream } from "./desired-state.ts";
import { includesSubject } from "./subject-pattern.ts";

/** One way in which what exists is not what would be created. */
export interface Drift {
  readonly what: string;
  readonly field: string;
  readonly wanted: unknown;
  readonly actual: unknown;
  /** A guarantee would break: the service refuses to start. */
  readonly breaks: boolean;
}

/** How much a limit must leave room for; 0 and less, or none at all, is no limit. */
export interface Room {
  readonly least: number;
  /** Below it nothing would work at all. */
  readonly breaksBelow: number;
}

export type Rooms<C> = Partial<Record<keyof C, Room>>;

/** A mirror has no subjects. */
export function subjectsDrift(
  wanted: WantedStream,
  { subjects = [] }: Partial<StreamConfig>,
  { breaks, added = [] }: { readonly breaks: boolean; readonly added?: readonly string[] },
): Drift[] {
  const missing = wanted.subjects.filter(
    (subject) => !subjects.some((one) => includesSubject(one, subject)),
  );
  if (missing.length === 0) return [];
  const isVital = breaks && missing.some((subject) => !added.includes(subject));
  return [
    {
      ...{ what: `stream ${wanted.name}`, field: "subjects", wanted: missing, actual: subjects },
      breaks: isVital,
    },
  ];
}

export function compare<C extends object>(
  what: string,
  wanted: Partial<C>,
  actual: Partial<C>,
  fields: Partial<Record<keyof C, boolean>>,
): Drift[] {
  return (Object.keys(fields) as (keyof C & string)[])
    .filter((field) => !isSame(wanted[field], actual[field]))
    .map((field) => ({
      what,
      field,
      wanted: readable(field, wanted[field]),
      actual: readable(field, actual[field]),
      breaks: fields[field] === true,
    }));
}

/** JetStream leaves out most of what is 0, empty or false. */
function isSame(one: unknown, other: unknown): boolean {
  return one === other || !(one || other);
}

/** Limits that leave less room than is needed. */
export function limitDrift<C extends object>(
  what: string,
  rooms: Rooms<C>,
  actual: Partial<C>,
): Drift[] {
  return (Object.entries(rooms) as [keyof C & string, Room][]).flatMap(
    ([field, { least, breaksBelow }]) => {
      const limit = Number(actual[field] ?? 0);
      if (limit <= 0 || limit >= least) return [];
      const [is, want] = [limit, least].map((value) => readable(field, value));
      return [{ what, field, wanted: want, actual: is, breaks: limit < breaksBelow }];
    },
  );
}

const durations = ["max_age", "ack_wait", "duplicate_window", "max_expires", "inactive_threshold"];

/** Durations are nanoseconds in JetStream; people think in seconds. */
function readable(field: string, value: unknown): unknown {
  return durations.includes(field) && typeof value === "number" ? `${value / 1e9}s` : value;
}

/** Both values, for a person. */
export function sentenceOf({ what, field, wanted, actual }: Drift): string {
  const [is, want] = [actual, wanted].map((value) => JSON.stringify(value ?? null));
  return `${what}: ${field} is ${is}, the settings want ${want}`;
}

/** Logs what differs; throws `bad_request`, naming both values, where a guarantee would break. */
export function judgeDrift(drift: readonly Drift[], log: Logger): void {
  for (const one of drift) if (!one.breaks) log.warn(`${sentenceOf(one)}; left as it is`);
  const breaking = drift.filter(({ breaks }) => breaks).map(sentenceOf);
  if (breaking.length > 0) {
    throw new BusError(
      "bad_request",
      ["what exists in JetStream clashes with the settings:", ...breaking].join("\n  "),
    );
  }
}
