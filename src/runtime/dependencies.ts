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
import type { DesiredState } from "../nats/desired-state.ts";
import { type Drift, judgeDrift } from "../nats/drift.ts";
import { nats } from "../nats/errors.ts";
import type { Permission } from "../nats/grants.ts";
import { openPermissions, type Permissions } from "../nats/permissions.ts";
import { provision } from "../nats/provision.ts";
import { isNumberLimit, remedyFor } from "../nats/refusals.ts";
import { isUnanswered } from "../nats/unanswered.ts";
import { type Database, openDatabase } from "../postgres/client.ts";
import { migrate, pendingMigrations } from "../postgres/migrate.ts";
import { type Privileges, requireWritable } from "../postgres/privileges.ts";
import { placeOf as databasePlace } from "../postgres/target.ts";
import { targetOf } from "../postgres/url.ts";
import type { BaseSettings } from "../settings/base.ts";
import { jetStreamOptions } from "../settings/nats.ts";
import { backoffMs, pause, unlessAborted } from "./backoff.ts";
import { type Metrics, statementDone } from "./metrics.ts";

/** What every concern stands on, connected, migrated and provisioned. */
export interface Dependencies {
  readonly nc: NatsConnection;
  readonly permissions: Permissions;
  readonly js: JetStreamClient;
  readonly jsm: JetStreamManager;
  readonly database: Database;
  /** What the hosted concerns stand on, and what all concerns do. */
  readonly needs: Needs;
  /** Recreates what has vanished from JetStream meanwhile. */
  readonly repair: () => Promise<void>;
}

/** What the concerns declare that they need. */
export interface Needs {
  readonly desired: DesiredState;
  readonly everything: DesiredState;
  readonly permissions: readonly Permission[];
  readonly privileges: Privileges;
  /** How many streams and consumers each concern needs, in a sentence. */
  readonly costs: () => string;
}

/**
 * Waits for NATS and PostgreSQL for as long as it takes; stops when aborted. What it waits for and why
 * is logged now and then, and always to be read in `waiting`.
 */
export async function openDependencies(
  settings: BaseSettings,
  needs: Needs,
  log: Logger,
  signal: AbortSignal,
  waiting: Map<string, string>,
  metrics: Metrics,
): Promise<Dependencies> {
  const untilThere = <T>(what: string, attempt: () => Promise<T>) =>
    waitFor(what, log, signal, attempt, waiting);
  const url = settings.databaseUrl;
  const { desired, privileges } = needs;
  const openNats = async () => {
    const place = placeOf(settings.nats.url);
    const nc = await untilThere(`NATS at ${place}`, () =>
      nats(() => connectNats(settings.nats, log)),
    );
    const permissions = openPermissions(nc, needs.permissions, log);
    await untilThere("NATS permissions", () => permissions.check());
    const patience = apiPatience(settings);
    const jsm = await untilThere("JetStream", async () => {
      try {
        const manager = await nats(() => jetstreamManager(nc, jetStreamOptions(settings.nats)));
        judgeDrift(await provisioned(manager, needs, settings), log);
        return manager;
      } catch (error) {
        patience(error);
        throw error;
      }
    });
    return { nc, permissions, jsm };
  };
  const openPostgres = async () => {
    await untilThere(`PostgreSQL at ${databasePlace(targetOf(url))}`, () =>
      settings.provision === "apply"
        ? migrate(url, { log, signal })
        : requireMigrated(url, settings),
    );
    const database = openDatabase({ url, poolSize, log, done: statementDone(metrics) });
    await untilThere("PostgreSQL", () => requireWritable(database, privileges));
    return database;
  };
  const [{ nc, permissions, jsm }, database] = await Promise.all([openNats(), openPostgres()]);
  const repair = async () => {
    try {
      await nats(() => provision(jsm, desired, settings.provision));
    } catch (error) {
      // In the middle of work nothing is refused for it: it is tried again, and a person may see to it meanwhile.
      if (isOutage(error) || remedyFor(error) === null) throw error;
      throw new BusError("unavailable", messageOf(error), { cause: error });
    }
  };
  return {
    nc,
    permissions,
    js: jetstream(nc, jetStreamOptions(settings.nats)),
    jsm,
    database,
    needs,
    repair,
  };
}

/** Four writers of runs, two for each of the two streams of features, and two for everything else. */
const poolSize = 10;

/** A leaf node may still be connecting to its hub; a domain that does not exist looks the same, and stays so. */
const apiPatienceMs = 10_000;

/** Throws `bad_request` when there was no answer under the prefix of the settings for that long. */
function apiPatience({ nats: { jsApiPrefix } }: BaseSettings): (error: unknown) => void {
  const since = performance.now();
  return (error) => {
    if (jsApiPrefix === undefined || performance.now() - since < apiPatienceMs) return;
    if (!isUnanswered(error)) return;
    const text = `no JetStream answers at ${jsApiPrefix}: does NATS_JS_DOMAIN or NATS_JS_API_PREFIX name it as the server does, and is the leaf node connected to its hub?`;
    throw new BusError("bad_request", text, { cause: error });
  };
}

/** Of the account's limits on their number it is said how many are needed, and for what. */
async function provisioned(
  jsm: JetStreamManager,
  { desired, costs }: Needs,
  { provision: mode }: BaseSettings,
): Promise<readonly Drift[]> {
  try {
    return await nats(() => provision(jsm, desired, mode));
  } catch (error) {
    if (!(error instanceof BusError) || !isNumberLimit(error)) throw error;
    throw new BusError(error.code, `${error.message}. ${costs()}`, { cause: error });
  }
}

/** Somebody else migrates: rejects with `unavailable` until that is done. */
async function requireMigrated(url: string, { provision: mode }: BaseSettings): Promise<void> {
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
