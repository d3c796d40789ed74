import { BusError } from "../../errors.ts";
import type { StoredMessage } from "../../runtime/delivery.ts";
import { cursorOf, idInPlace, timeInPlace } from "../../schema/cursor.ts";
import { timeFrom } from "../../schema/request.ts";
import { type Static, Type } from "../../schema/typebox.ts";
import type { ConcernPart } from "../concern.ts";
import { endpoint } from "../endpoint.ts";
import type { RunEvent } from "./event.ts";
import { createHeartbeats } from "./heartbeats.ts";
import type { RunKey } from "./ports.ts";
import { appendValues, decodeMessage, type RunsOptions, storeMessages } from "./record.ts";
import type { Runs } from "./store.ts";
import {
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

/** The newest first: by when they began, then by id. */
const place = cursorOf(Type.Tuple([timeInPlace, idInPlace]));

/** Keeps every event of every run, and says how runs are. */
export function runs(options: RunsOptions): ConcernPart {
  const { stream, durable, store } = options;
  const heartbeats = createHeartbeats(store);
  return {
    endpoints: [
      {
        name: "runs-append",
        ...manyRunEvents,
        reply: appendReplySchema,
        handle: (values) => appendValues(values, options),
      },
      endpoint({
        name: "runs-heartbeat",
        request: runKeySchema,
        reply: heartbeatReplySchema,
        handle: (request: KeyRequest) => beat(keyFrom(request), heartbeats, store),
        mostInWork: 10_000,
      }),
      endpoint({
        name: "runs-get",
        request: runKeySchema,
        reply: runSchema,
        handle: async (request: KeyRequest) => wireRun(await existing(keyFrom(request), store)),
      }),
      endpoint({
        name: "runs-list",
        request: listRunsSchema,
        reply: listRunsReplySchema,
        handle: (request: Static<typeof listRunsSchema>) => list(request, store),
      }),
      endpoint({
        name: "runs-events",
        request: eventsSchema,
        reply: eventsReplySchema,
        async handle(request: Static<typeof eventsSchema>) {
          const { after = -1, limit = 100 } = request;
          const events = await store.events(keyFrom(request), after, limit);
          if (events.length === 0) await existing(keyFrom(request), store);
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
    consumptions: [
      {
        ...{ stream, durable },
        decode: (message: StoredMessage) => decodeMessage(message, options),
        handle: (events: readonly RunEvent[]) => storeMessages(events, options),
        // A refused event keeps those behind it from nothing: it is a dead letter at its first attempt.
        inOrder: { advance: options.advance },
      },
    ],
  };
}

async function existing(run: RunKey, store: Runs) {
  const found = await store.find(run);
  if (found === null) throw new BusError("not_found", "there is no such run");
  return found;
}

async function beat(
  run: RunKey,
  heartbeats: ReturnType<typeof createHeartbeats>,
  store: Runs,
): Promise<{ alive: boolean }> {
  const alive = await heartbeats.beat(run);
  // One that has ended has an answer; one that there never was is an error.
  if (!alive) await existing(run, store);
  return { alive };
}

async function list(request: Static<typeof listRunsSchema>, store: Runs) {
  const { tenant_id = "default", agent_id, status, limit = 100, cursor } = request;
  const since = timeFrom("since", request.since);
  const until = timeFrom("until", request.until);
  const filter = { tenantId: tenant_id, agentId: agent_id, status, since, until };
  const found = await store.list(filter, cursor === undefined ? null : placeFrom(cursor), limit);
  const isMore = found.length === limit;
  const next = place.behind(found, isMore, ({ startedAt, runId }) => [startedAt, runId]);
  return { runs: found.map(wireRun), cursor: next };
}

type KeyRequest = Static<typeof runKeySchema>;

const keyFrom = ({ tenant_id = "default", run_id }: KeyRequest): RunKey => ({
  tenantId: tenant_id,
  runId: run_id,
});

function placeFrom(cursor: string): { startedAt: number; runId: string } {
  const [startedAt, runId] = place.placeOf(cursor);
  return { startedAt, runId };
}
