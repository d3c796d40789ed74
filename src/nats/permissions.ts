import { errors, type NatsConnection } from "@nats-io/transport-node";
import { BusError, messageOf } from "../errors.ts";
import type { Logger } from "../log.ts";
import { nats } from "./errors.ts";
import { type Granted, missingPermissions, nameOfPermission, type Permission } from "./grants.ts";
import { userInfoSubject } from "./needed-permissions.ts";
import { includesSubject } from "./subject-pattern.ts";
import { isUnanswered } from "./unanswered.ts";

const readTimeoutMs = 1_500;
/** So old may be what the server said last of what we may do. */
const knownMs = 2_000;
/** Where that cannot be read, a refusal counts for so long after it was seen last. */
const refusedMs = 30_000;

export interface Permissions {
  /** Rejects with `unavailable`, naming them, while permissions are missing. */
  check(): Promise<void>;
}

/** What the connection may do, as its server tells it. Rejects with a `BusError` where it does not. */
export async function readGranted(nc: NatsConnection): Promise<Granted> {
  const reply = await nats(() => nc.request(userInfoSubject, "", { timeout: readTimeoutMs }));
  const { data, error } = reply.json<{
    data?: { permissions?: NonNullable<Granted> };
    error?: object;
  }>();
  if (data === undefined || error !== undefined) {
    throw new BusError("unavailable", `${userInfoSubject} was answered with an error`);
  }
  return data.permissions ?? null;
}

/**
 * Follows what the connection may do: asks its server when checked, and remembers what was refused in
 * between. A refusal that concerns none of `needed` is in the log only: a caller that asks a question twice
 * with one reply subject can cause it.
 */
export function openPermissions(
  nc: NatsConnection,
  needed: readonly Permission[],
  log: Logger,
): Permissions {
  /** When the server refused it last. */
  const refused = new Map<Permission, number>();
  let isReadable = true;
  /** A subscription of ours has ended at the server; up to 2.10 the client does not learn which. */
  let isDeaf = false;
  let readAt = Number.NEGATIVE_INFINITY;
  let missing: readonly Permission[] = [];

  async function followRefusals(): Promise<void> {
    for await (const status of nc.status()) {
      if (status.type === "reconnect") isReadable = true;
      if (status.type === "error") note(status.error);
    }
  }

  function note(error: unknown): void {
    const one = refusedOf(error, needed);
    if (one !== undefined && one.subject !== userInfoSubject) {
      refused.set(one, performance.now());
      if (one.operation === "subscribe") isDeaf = true;
    }
  }

  async function read(): Promise<void> {
    readAt = performance.now();
    try {
      missing = missingPermissions(await readGranted(nc), needed);
      refused.clear();
    } catch (error) {
      const cause = error instanceof BusError ? error.cause : error;
      const lacking = refusedOf(cause, needed);
      // Without its inbox no answer arrives: it is missing, and is asked for again.
      if (lacking !== undefined && lacking.subject !== userInfoSubject) note(cause);
      // Unanswered: a server before 2.10, or one without a system account.
      else if (lacking !== undefined || isUnanswered(cause)) {
        isReadable = false;
        missing = [];
        const text = "cannot read what NATS permits: what is missing shows when it is refused";
        log.warn({ why: messageOf(error) }, text);
      }
    }
  }

  /** Subscribes to everything again. */
  async function hearAgain(): Promise<void> {
    if (!isDeaf) return;
    isDeaf = false;
    log.warn("a refused subscription is permitted now: reconnecting");
    await nats(() => nc.reconnect());
  }

  void followRefusals();
  return {
    async check() {
      if (isReadable && performance.now() - readAt > knownMs) await read();
      const since = performance.now() - refusedMs;
      for (const [one, at] of refused) if (at < since) refused.delete(one);
      const all = new Set([...missing, ...refused.keys()]);
      if (all.size === 0) return await hearAgain();
      const names = [...all].map(nameOfPermission).join("; ");
      throw new BusError("unavailable", `missing permission: ${names}`);
    },
  };
}

/** Which of the needed permissions the server has just refused. */
function refusedOf(error: unknown, needed: readonly Permission[]): Permission | undefined {
  if (!(error instanceof errors.PermissionViolationError)) {
    return error instanceof Error && error.cause ? refusedOf(error.cause, needed) : undefined;
  }
  const operation = error.operation === "publish" ? "publish" : "subscribe";
  return needed.find(
    (one) => one.operation === operation && includesSubject(one.subject, error.subject),
  );
}
