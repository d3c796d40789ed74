import { parseTimestamp } from "../../../schema/timestamp.ts";
import type { Mapped } from "../mapped.ts";
import { type LogRecord, numberOf, type Origin, textOf } from "../record.ts";

/** A dialect of log records is a table, too: its events by their names without the producer's prefix. */
export interface LogDialect {
  readonly name: string;
  /** The event's name without a prefix; null: the record is not of this dialect. */
  readonly eventOf: (name: string, origin: Origin) => string | null;
  readonly events: Readonly<Record<string, (record: LogRecord, origin: Origin) => Mapped>>;
}

/** The event's name: in the record, in an attribute, or, of older producers, in the body. */
export function nameOf({ eventName, attributes, body }: LogRecord): string {
  return eventName || textOf(attributes, "event.name") || body;
}

/** Without the prefix; null where the name has none and `isOwn` is false. */
export function withoutPrefix(name: string, prefix: string, isOwn: boolean): string | null {
  if (name.startsWith(prefix)) return name.slice(prefix.length);
  return isOwn ? name : null;
}

/** When it happened, epoch ms: some producers leave the record's time at zero. */
export function timeOf({ timeMs, observedMs, attributes }: LogRecord): number {
  if (timeMs > 0) return timeMs;
  const told = textOf(attributes, "event.timestamp");
  return (told === undefined ? null : parseTimestamp(told)) ?? observedMs;
}

/** What all calls in log records share. */
export function common(dialect: string, record: LogRecord, origin: Origin) {
  return {
    dialect,
    at: timeOf(record),
    tenant: textOf(origin.resource, "tenant.id"),
    task: textOf(origin.resource, "experience.task_type"),
    latencyMs: numberOf(record.attributes, "duration_ms", "duration"),
  };
}
