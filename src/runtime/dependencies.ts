import {
  type JetStreamClient,
  type JetStreamManager,
  jetstream,
  jetstreamManager,
} from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/transport-node";
import { BusError, isOutage, messageOf } from "../errors.ts";
import type { Logger } from "../log.ts";
import { connectNats } from "../nats/connect.ts";
import { type Wanted, wantedFrom } from "../nats/desired-state.ts";
import { judgeDrift } from "../nats/drift.ts";
import { nats } from "../nats/errors.ts";
import { neededFor } from "../nats/needed.ts";
import { neededPermissions } from "../nats/needed-permissions.ts";
import { openPermissions, type Permissions } from "../nats/permissions.ts";
import { provision } from "../nats/provision.ts";
import { type Database, openDatabase } from "../postgres/client.ts";
import { migrate, pendingMigrations } from "../postgres/migrate.ts";
import { requireWritable } from "../postgres/privileges.ts";
import type { Settings } from "../settings/index.ts";
import { backoffMs, pause, unlessAborted } from "./backoff.ts";
import { type Metrics, statementDone } from "./metrics.ts";

/** What every concern stands on, connected, migrated and provisioned. */
export interface Dependencies {
  readonly nc: NatsConnection;
  readonly permissions: Permissions;
  readonly js: JetStreamClient;
  readonly jsm: JetStreamManager;
  readonly database: Database;
  readonly wanted: Wanted;
  /** Makes anew what has vanished from JetStream meanwhile. */
  readonly repair: () => Promise<void>;
}

/**
 * Waits for NATS and PostgreSQL for as long as it takes; stops when aborted. What it waits for and why
 * is logged now and then, and always to be read in `waiting`.
 */
export async function openDependencies(
  settings: Settings,
  log: Logger,
  signal: AbortSignal,
  waiting: Map<string, string>,
  metrics: Metrics,
): Promise<Dependencies> {
  const untilThere = <T>(what: string, attempt: () => Promise<T>) =>
    waitFor(what, log, signal, attempt, waiting);
  const url = settings.databaseUrl;
  const wanted = wantedFrom(settings);
  const needed = neededFor(wanted, settings.concerns);
  const openNats = async () => {
    const place = placeOf(settings.nats.url);
    const nc = await untilThere(`NATS at ${place}`, () =>
      nats(() => connectNats(settings.nats, log)),
    );
    const permissions = openPermissions(nc, neededPermissions(settings), log);
    await untilThere("NATS permissions", () => permissions.check());
    const jsm = await untilThere("JetStream", async () => {
      const manager = await nats(() => jetstreamManager(nc));
      judgeDrift(await nats(() => provision(manager, needed, settings.provision)), log);
      return manager;
    });
    return { nc, permissions, jsm };
  };
  const openPostgres = async () => {
    await untilThere(`PostgreSQL at ${placeOf(url)}`, () =>
      settings.provision === "apply"
        ? migrate(url, { log, signal })
        : requireMigrated(url, settings),
    );
    const database = openDatabase({ url, log, done: statementDone(metrics) });
    await untilThere("PostgreSQL", () => requireWritable(database));
    return database;
  };
  const [{ nc, permissions, jsm }, database] = await Promise.all([openNats(), openPostgres()]);
  const repair = async () => {
    await nats(() => provision(jsm, needed, settings.provision));
  };
  return { nc, permissions, js: jetstream(nc), jsm, database, wanted, repair };
}

/** Somebody else migrates: rejects with `unavailable` until that is done. */
async function requireMigrated(url: string, { provision: mode }: Settings): Promise<void> {
  const pending = await pendingMigrations(url);
  if (pending.length === 0) return;
  const text = `migrations ${pending.join(", ")} are not applied, and EXPERIENCE_PROVISION=${mode} applies none: experience-bus migrate does`;
  throw new BusError("unavailable", text);
}

/** Attempts again and again until no outage prevents it; rejects with `unavailable` when aborted. */
export async function waitFor<T>(
  what: string,
  log: Logger,
  signal: AbortSignal,
  attempt: () => Promise<T>,
  waiting = new Map<string, string>(),
): Promise<T> {
  const stopped = () => new BusError("unavailable", "stopped while starting");
  for (let tries = 0; !signal.aborted; tries++) {
    try {
      // An attempt may wait for several servers, one after another, for longer than a stop may take.
      const result = await unlessAborted(attempt(), signal, stopped);
      waiting.delete(what);
      if (tries > 0) log.info(`${what} is there`);
      return result;
    } catch (error) {
      if (!isOutage(error)) throw error;
      if (signal.aborted) break;
      const line = `waiting for ${what}: ${messageOf(error)}`;
      waiting.set(what, line);
      // Every tenth attempt again: a line now and then, not a flood.
      if (tries % 10 === 0) log.warn(line);
      await pause(backoffMs(tries, 100, 2_000), signal);
    }
  }
  throw stopped();
}

/** Hosts and ports only: a URL may hold a password. */
function placeOf(urls: string): string {
  const places = urls.split(",").map((url) => {
    const text = url.includes("://") ? url : `nats://${url}`;
    return URL.canParse(text) ? new URL(text).host : "an unreadable address";
  });
  return places.join(", ");
}
