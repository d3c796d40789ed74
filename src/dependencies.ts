import {
  type JetStreamClient,
  type JetStreamManager,
  jetstream,
  jetstreamManager,
} from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/transport-node";
import { backoffMs, pause } from "./backoff.ts";
import { connectNats } from "./bus/connect.ts";
import { judgeDrift } from "./bus/drift.ts";
import { nats } from "./bus/errors.ts";
import { provision } from "./bus/provision.ts";
import { type Wanted, wantedFrom } from "./bus/wanted.ts";
import { type Database, openDatabase } from "./db/client.ts";
import { migrate } from "./db/migrate.ts";
import { BusError, isOutage, messageOf } from "./errors.ts";
import type { Logger } from "./log.ts";
import type { Settings } from "./settings.ts";

/** What every concern stands on, connected, migrated and provisioned. */
export interface Dependencies {
  readonly nc: NatsConnection;
  readonly js: JetStreamClient;
  readonly jsm: JetStreamManager;
  readonly database: Database;
  readonly wanted: Wanted;
  /** Makes anew what has vanished from JetStream meanwhile. */
  readonly repair: () => Promise<void>;
}

/** Waits for NATS and PostgreSQL for as long as it takes, saying what it waits for; stops when aborted. */
export async function openDependencies(
  settings: Settings,
  log: Logger,
  signal: AbortSignal,
): Promise<Dependencies> {
  const url = settings.databaseUrl;
  const [nc] = await Promise.all([
    waitFor(`NATS at ${placeOf(settings.nats.url)}`, log, signal, () =>
      nats(() => connectNats(settings.nats, log)),
    ),
    waitFor(`PostgreSQL at ${placeOf(url)}`, log, signal, () => migrate(url, { log })),
  ]);
  const wanted = wantedFrom(settings);
  const jsm = await waitFor("JetStream", log, signal, async () => {
    const manager = await nats(() => jetstreamManager(nc));
    judgeDrift(await nats(() => provision(manager, wanted, settings.provision)), log);
    return manager;
  });
  const database = openDatabase({ url, log });
  const repair = async () => {
    await nats(() => provision(jsm, wanted, settings.provision));
  };
  return { nc, js: jetstream(nc), jsm, database, wanted, repair };
}

/** Attempts again and again until no outage prevents it; rejects with `unavailable` when aborted. */
export async function waitFor<T>(
  what: string,
  log: Logger,
  signal: AbortSignal,
  attempt: () => Promise<T>,
): Promise<T> {
  for (let tries = 0; ; tries++) {
    try {
      const result = await attempt();
      if (tries > 0) log.info(`${what} is there`);
      return result;
    } catch (error) {
      if (!isOutage(error)) throw error;
      if (signal.aborted) throw new BusError("unavailable", "stopped while starting");
      // Every tenth attempt again: a line now and then, not a flood.
      if (tries % 10 === 0) log.warn(`waiting for ${what}: ${messageOf(error)}`);
      await pause(backoffMs(tries, 100, 2_000), signal);
    }
    if (signal.aborted) throw new BusError("unavailable", "stopped while starting");
  }
}

/** Hosts and ports only: a URL may hold a password. */
function placeOf(urls: string): string {
  const places = urls.split(",").map((url) => {
    const text = url.includes("://") ? url : `nats://${url}`;
    return URL.canParse(text) ? new URL(text).host : "an unreadable address";
  });
  return places.join(", ");
}
