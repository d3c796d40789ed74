import { randomUUID } from "node:crypto";
import { BusError, isRefusal } from "../../errors.ts";
import type { Place } from "../../runtime/consumer.ts";
import { defaultEventIdOf, type StoredMessage } from "../../runtime/delivery.ts";
import { firstBy } from "../../runtime/grouping.ts";
import { dealSlices, storeSlices } from "../../runtime/slices.ts";
import { type InvalidItem, itemPayload, takeEach } from "../../schema/many-items.ts";
import { type Appended, changesBy, distinct, runKey, type StoredRunEvent } from "./append.ts";
import type { RunEvent } from "./event.ts";
import { decodeRunEvent, maxRunEventBytes, runEventFrom } from "./event-wire.ts";
import type { RunMetrics } from "./metrics.ts";
import type { RunNews, RunStore } from "./ports.ts";
import type { Runs } from "./store.ts";
import type { AppendReply } from "./wire.ts";

export interface RunsOptions {
  readonly stream: string;
  readonly durable: string;
  readonly maxFutureMs: number;
  /** Called for an event of the stream whose producer's clock was not set. */
  readonly onUnsetTime: () => void;
  readonly store: Runs;
  /** Notes that everything up to this place in the stream is stored. */
  readonly advance: (last: Place) => Promise<void>;
  readonly news: RunNews;
  readonly metrics: RunMetrics;
}

/** Appends, tells readers of these runs, and counts. */
async function append(
  given: readonly RunEvent[],
  { store, news, metrics }: RunsOptions,
): Promise<AppendedEvents> {
  const appended = await appendEvents(given, store);
  const now = Date.now();
  const events = appended.stored.map(({ event }) => event);
  for (const { storedAt } of events) {
    metrics.runDelay.observe(Math.max(0, now - storedAt) / 1_000);
  }
  for (const run of firstBy(events, runKey)) news.announce(run);
  metrics.runEvents.inc({ outcome: "stored" }, appended.stored.length);
  return appended;
}

/** Counts what is invalid. */
export function decodeMessage(message: StoredMessage, options: RunsOptions): RunEvent {
  const { maxFutureMs, onUnsetTime, metrics } = options;
  try {
    const { storedAt } = message;
    const defaultEventId = defaultEventIdOf(message);
    const context = { storedAt, maxFutureMs, defaultEventId, onUnsetTime };
    return decodeRunEvent(message.data, context);
  } catch (error) {
    if (isRefusal(error)) metrics.runEvents.inc({ outcome: "invalid" });
    throw error;
  }
}

/** What is refused is found out by halving: the others are stored by then, and no duplicates of theirs. */
export async function storeMessages(
  events: readonly RunEvent[],
  options: RunsOptions,
): Promise<void> {
  const { metrics } = options;
  const slices = dealSlices(events, writers, runKey);
  const each = await storeSlices(slices, (slice) => append(slice, options));
  const stored = each.flatMap((one) => one.stored);
  const refused = each.flatMap((one) => one.refused);
  const [first] = refused;
  if (first === undefined) {
    metrics.runEvents.inc({ outcome: "duplicate" }, events.length - stored.length);
    return;
  }
  if (events.length === 1) metrics.runEvents.inc({ outcome: "refused" });
  throw new BusError("conflict", first.reason);
}

/** The events of a request. */
export async function appendValues(
  values: readonly unknown[],
  options: RunsOptions,
): Promise<AppendReply> {
  const { taken, invalid } = await takeEach(values, async (value) =>
    newEvent(value, options.maxFutureMs),
  );
  const appended = await append(
    taken.filter((event) => event !== null),
    options,
  );
  return appendReply(taken, invalid, appended);
}

/** `events`: one for each value of the request; null where that is `invalid`. */
export function appendReply(
  events: readonly (RunEvent | null)[],
  invalid: readonly InvalidItem[],
  { stored, refused }: AppendedEvents,
): AppendReply {
  const cursors = new Map(stored.map(({ event, cursor }) => [event, cursor]));
  const reasons = new Map(refused.map(({ event, reason }) => [event, reason]));
  const unfit = events.flatMap((event, index) => {
    const reason = event && reasons.get(event);
    return reason ? [{ index, reason }] : [];
  });
  const valid = events.filter((event) => event !== null);
  return {
    stored: stored.length,
    duplicates: valid.length - stored.length - refused.length,
    invalid: [...invalid, ...unfit].sort((a, b) => a.index - b.index),
    cursors: events.map((event) => (event && cursors.get(event)) ?? null),
  };
}

/**
 * The one reader deals what it has read to so many writers, all events of one run to the same one. It reads on when
 * each of them has stored what it was dealt (ADR 11).
 */
const writers = 4;

export interface AppendedEvents {
  readonly stored: readonly StoredRunEvent[];
  readonly refused: Appended["refused"];
}

/**
 * Appends events to their runs, in their order; what is stored already is left out. It may be called
 * again for the same events, at any time, by any replica. Where another replica was faster with a run,
 * it reads again what that one has written.
 */
export async function appendEvents(
  events: readonly RunEvent[],
  store: RunStore,
): Promise<AppendedEvents> {
  const done: StoredRunEvent[] = [];
  const refused: Appended["refused"][number][] = [];
  let left = distinct(events);
  while (left.length > 0) {
    const { rows, stored } = await store.read(left);
    const fresh = left.filter((event) => !stored.has(event));
    const found = changesBy(fresh, rows);
    const written = found.changes.length > 0 ? await store.write(found.changes) : new Set();
    const again = new Set(found.changes.filter((one) => !written.has(one)).map(runKey));
    for (const change of found.changes) if (written.has(change)) done.push(...change.stored);
    refused.push(...found.refused.filter(({ event }) => !again.has(runKey(event))));
    left = fresh.filter((event) => again.has(runKey(event)));
  }
  return { stored: done, refused };
}

/** An event that comes by request has no header; without an id it gets a new one. */
function newEvent(value: unknown, maxFutureMs: number): RunEvent {
  itemPayload(value, maxRunEventBytes);
  const context = { storedAt: Date.now(), maxFutureMs, defaultEventId: randomUUID() };
  return runEventFrom(value, context);
}
