import { randomUUID } from "node:crypto";
import { BusError, isRefusal } from "../../errors.ts";
import type { Place } from "../../runtime/consumer.ts";
import { defaultEventIdOf, type StoredMessage } from "../../runtime/delivery.ts";
import { firstBy } from "../../runtime/grouping.ts";
import { dealSlices, storeSlices } from "../../runtime/slices.ts";
import { cursorOf, idInPlace, timeInPlace } from "../../schema/cursor.ts";
import { itemPayload, takeEach } from "../../schema/many-items.ts";
import { timeFrom } from "../../schema/request.ts";
import { type Static, Type } from "../../schema/typebox.ts";
import type { ConcernPart } from "../concern.ts";
import { endpoint } from "../endpoint.ts";
import { type Appended, changesBy, distinct, runKey, type StoredRunEvent } from "./append.ts";
import type { RunEvent } from "./event.ts";
import { decodeRunEvent, maxRunEventBytes, runEventFrom } from "./event-wire.ts";
import { createHeartbeats } from "./heartbeats.ts";
import type { RunMetrics } from "./metrics.ts";
import type { RunKey, RunNews, RunStore } from "./ports.ts";
import type { Runs } from "./store.ts";
import {
  type AppendReply,
  appendReplySchema,
  eventsReplySchema,
  eventsSchema,
  heartbeatReplySchema,
  latestSchema,
  listRunsReplySchema,
  listRunsSchema,
  manyRunEvents,
  runKeySchema,
  runSchema,
  storedEventSchema,
  wireRun,
  wireRunEvent,
} from "./wire.ts";

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

/** The newest first: by when they began, then by id. */
const place = cursorOf(Type.Tuple([timeInPlace, idInPlace]));

/** Keeps every event of every run, and says how runs are. */
export function runs(options: RunsOptions): ConcernPart {
  const { stream, durable, maxFutureMs, onUnsetTime, store, news, metrics } = options;
  const heartbeats = createHeartbeats(store);

  async function append(given: readonly RunEvent[]): Promise<AppendedEvents> {
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

  function decode(message: StoredMessage): RunEvent {
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
  async function handle(events: readonly RunEvent[]): Promise<void> {
    const each = await storeSlices(dealSlices(events, writers, runKey), append);
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

  async function appendAll(values: readonly unknown[]): Promise<AppendReply> {
    const { taken: events, invalid } = await takeEach(values, async (value) =>
      newEvent(value, maxFutureMs),
    );
    const valid = events.filter((event) => event !== null);
    const { stored, refused } = await append(valid);
    const cursors = new Map(stored.map(({ event, cursor }) => [event, cursor]));
    const reasons = new Map(refused.map(({ event, reason }) => [event, reason]));
    const unfit = events.flatMap((event, index) => {
      const reason = event && reasons.get(event);
      return reason ? [{ index, reason }] : [];
    });
    return {
      stored: stored.length,
      duplicates: valid.length - stored.length - refused.length,
      invalid: [...invalid, ...unfit].sort((a, b) => a.index - b.index),
      cursors: events.map((event) => (event && cursors.get(event)) ?? null),
    };
  }

  async function existing(run: RunKey) {
    const found = await store.find(run);
    if (found === null) throw new BusError("not_found", "there is no such run");
    return found;
  }

  async function beat(run: RunKey): Promise<{ alive: boolean }> {
    const alive = await heartbeats.beat(run);
    // One that has ended has an answer; one that there never was is an error.
    if (!alive) await existing(run);
    return { alive };
  }

  async function list(request: Static<typeof listRunsSchema>) {
    const { tenant_id = "default", agent_id, status, limit = 100, cursor } = request;
    const since = timeFrom("since", request.since);
    const until = timeFrom("until", request.until);
    const filter = { tenantId: tenant_id, agentId: agent_id, status, since, until };
    const found = await store.list(filter, cursor === undefined ? null : placeFrom(cursor), limit);
    const isMore = found.length === limit;
    const next = place.behind(found, isMore, ({ startedAt, runId }) => [startedAt, runId]);
    return { runs: found.map(wireRun), cursor: next };
  }

  const keyFrom = ({ tenant_id = "default", run_id }: Static<typeof runKeySchema>): RunKey => ({
    tenantId: tenant_id,
    runId: run_id,
  });

  return {
    endpoints: [
      {
        name: "runs-append",
        ...manyRunEvents,
        reply: appendReplySchema,
        handle: appendAll,
      },
      endpoint({
        name: "runs-heartbeat",
        request: runKeySchema,
        reply: heartbeatReplySchema,
        handle: (request: Static<typeof runKeySchema>) => beat(keyFrom(request)),
        mostInWork: 10_000,
      }),
      endpoint({
        name: "runs-get",
        request: runKeySchema,
        reply: runSchema,
        handle: async (request: Static<typeof runKeySchema>) =>
          wireRun(await existing(keyFrom(request))),
      }),
      endpoint({
        name: "runs-list",
        request: listRunsSchema,
        reply: listRunsReplySchema,
        handle: list,
      }),
      endpoint({
        name: "runs-events",
        request: eventsSchema,
        reply: eventsReplySchema,
        async handle(request: Static<typeof eventsSchema>) {
          const { after = -1, limit = 100 } = request;
          const events = await store.events(keyFrom(request), after, limit);
          if (events.length === 0) await existing(keyFrom(request));
          return { events: events.map((event) => wireRunEvent(request.run_id, event)) };
        },
      }),
      endpoint({
        name: "runs-latest",
        request: latestSchema,
        reply: storedEventSchema,
        async handle(request: Static<typeof latestSchema>) {
          const event = await store.latest(keyFrom(request), request.type);
          if (event === null) throw new BusError("not_found", "there is no such event");
          return wireRunEvent(request.run_id, event);
        },
      }),
    ],
    // A refused event keeps those behind it from nothing: it is a dead letter at its first attempt.
    consumptions: [{ stream, durable, decode, handle, inOrder: { advance: options.advance } }],
  };
}

/**
 * The one reader deals what it has read to so many writers, all events of one run to the same one. It reads on when
 * each of them has stored what it was dealt (ADR 11).
 */
const writers = 4;

interface AppendedEvents {
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

function placeFrom(cursor: string): { startedAt: number; runId: string } {
  const [startedAt, runId] = place.placeOf(cursor);
  return { startedAt, runId };
}
