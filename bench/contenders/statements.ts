import { applyEvents } from "../../src/handlers/features/apply.ts";
import { userKey } from "../../src/handlers/features/fold.ts";
import { openFeatures } from "../../src/handlers/features/store.ts";
import { decodeUserEvent } from "../../src/handlers/features/wire.ts";
import { runKey } from "../../src/handlers/runs/append.ts";
import { decodeRunEvent } from "../../src/handlers/runs/event-wire.ts";
import { appendEvents } from "../../src/handlers/runs/record.ts";
import { openRuns } from "../../src/handlers/runs/store.ts";
import { type Database, openDatabase, silentLog } from "../../src/postgres/client.ts";
import { dealSlices } from "../../src/runtime/slices.ts";
import { runEventsOf, signalsOf } from "../row-events.ts";

/**
 * What PostgreSQL can do at the most: the service's own statements over events that are in memory, without a broker, by so
 * many writers at once. Says how many events a second.
 */
const { LEARNER_DATABASE_URL: url = "", PART: part = "", WRITERS: asked = "2" } = process.env;
const [messages, keys] = [Number(process.env["MESSAGES"]), Number(process.env["KEYS"])];
/** As many as the service has in a slice of what waits. */
const batch = part === "features" ? 1_024 : 256;

const writers = Number(asked);
const database = openDatabase({ url, poolSize: writers, log: silentLog });
const known = (i: number) => ({
  ...{ storedAt: Date.now(), maxFutureMs: 300_000, onUnsetTime: () => undefined },
  defaultEventId: `event-${i}`,
});

async function rateOf<T>(
  slices: readonly (readonly T[])[],
  store: (events: readonly T[]) => Promise<unknown>,
): Promise<number> {
  await Promise.all(slices.map(() => database.ping()));
  const startedAt = performance.now();
  await Promise.all(
    slices.map(async (slice) => {
      for (let at = 0; at < slice.length; at += batch) await store(slice.slice(at, at + batch));
    }),
  );
  return (messages / (performance.now() - startedAt)) * 1_000;
}

async function features(over: Database): Promise<number> {
  const events = [...signalsOf(messages, keys)].map(({ payload, subject }, i) =>
    decodeUserEvent(payload, `signals.${subject}`, known(i)),
  );
  const store = openFeatures(over);
  return await rateOf(dealSlices(events, writers, userKey), (some) => applyEvents(some, store));
}

async function runs(over: Database): Promise<number> {
  const events = [...runEventsOf(messages, keys)].map(({ payload }, i) =>
    decodeRunEvent(payload, known(i)),
  );
  const store = openRuns(over);
  return await rateOf(dealSlices(events, writers, runKey), (some) => appendEvents(some, store));
}

console.log(await (part === "features" ? features : runs)(database));
await database.close();
