import { BusError } from "../errors.ts";
import { expectedTime, readTime, unset } from "./timestamp.ts";

/** What is known of a message besides its payload. */
export interface MessageContext {
  /** The identity, where the event does not carry one. */
  readonly defaultEventId: string;
  /** When the stream stored it, epoch ms. */
  readonly storedAt: number;
  readonly maxFutureMs: number;
  /** Called for an event whose producer's clock was not set: its time counts as absent. */
  readonly onUnsetTime?: (() => void) | undefined;
}

/** Epoch ms; when the stream stored it, where the event names no time. */
export function eventTime(
  ts: string | number | undefined,
  context: MessageContext,
  field = "ts",
): number {
  if (ts === undefined) return context.storedAt;
  const time = readTime(ts);
  if (time === null) throw new BusError("bad_request", `${field}: ${expectedTime}`);
  if (time === unset) {
    context.onUnsetTime?.();
    return context.storedAt;
  }
  // A clock that runs far ahead is not believed.
  return time > context.storedAt + context.maxFutureMs ? context.storedAt : time;
}

/** What stands in for a missing id obeys the same bounds, and PostgreSQL must be able to hold it. */
export function checkedId(text: string, where: string): string {
  if (text.length < 1 || text.length > 128) {
    throw new BusError("bad_request", `${where} must have 1 to 128 characters`);
  }
  if (text.includes("\u0000") || !text.isWellFormed()) {
    throw new BusError("bad_request", `${where} has a character that cannot be stored`);
  }
  return text;
}

/** The first of TypeBox's findings, with the field's path. */
export function firstProblem(
  problems: Iterable<{ readonly instancePath: string; readonly message: string }>,
): string {
  const [problem] = problems;
  if (problem === undefined) return "does not match the schema";
  const field = problem.instancePath.replaceAll("/", ".").replace(/^\./, "") || "event";
  return `${field}: ${problem.message}`;
}
