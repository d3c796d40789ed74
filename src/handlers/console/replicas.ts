import { Empty, type NatsConnection } from "@nats-io/transport-node";
import { isUnanswered } from "../../nats/unanswered.ts";
import { healthSubject, pingSubject } from "../../subjects.ts";
import type { HealthReply } from "../health/index.ts";

/** Asked no more often, however many look. */
const keptMs = 1_500;
/** Who has not answered by then is shown without its health. */
const patienceMs = 2_000;

/** A replica that answers, and its health; null: it did not say. */
export interface SeenReplica {
  readonly instance: string;
  readonly health: HealthReply | null;
}

/**
 * Every replica that is there, as of a moment ago: whoever looks is not made to wait for them, but the first who does for
 * a long time. Rejects with what the connection to NATS rejects with.
 */
export function openReplicas(nc: NatsConnection): () => Promise<readonly SeenReplica[]> {
  let known: readonly SeenReplica[] = [];
  let asking: Promise<readonly SeenReplica[]> | null = null;
  let askedAt = Number.NEGATIVE_INFINITY;

  async function ask(): Promise<readonly SeenReplica[]> {
    askedAt = performance.now();
    const instances = await idsOf(nc);
    const found = instances.map(async (instance): Promise<SeenReplica> => {
      return { instance, health: await healthOf(nc, instance) };
    });
    known = await Promise.all(found);
    return known;
  }

  return async () => {
    const age = performance.now() - askedAt;
    if (asking === null && age > keptMs) {
      asking = ask().finally(() => {
        asking = null;
      });
      // Callers that wait for it hear of it; there may be none.
      asking.catch(() => undefined);
    }
    return asking !== null && (known.length === 0 || age > 10 * keptMs) ? await asking : known;
  };
}

async function idsOf(nc: NatsConnection): Promise<string[]> {
  const ids: string[] = [];
  const options = { strategy: "stall", maxWait: patienceMs } as const;
  try {
    for await (const reply of await nc.requestMany(pingSubject, Empty, options)) {
      ids.push(reply.json<{ id: string }>().id);
    }
  } catch (error) {
    if (!isUnanswered(error)) throw error;
  }
  return ids.sort();
}

async function healthOf(nc: NatsConnection, instance: string): Promise<HealthReply | null> {
  try {
    const reply = await nc.request(healthSubject(instance), Empty, { timeout: patienceMs });
    return reply.json<HealthReply>();
  } catch {
    // It is gone, or it is too busy: either is what is shown.
    return null;
  }
}
