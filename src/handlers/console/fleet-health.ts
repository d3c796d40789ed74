import { nullable } from "../../schema/request.ts";
import { type Static, Type } from "../../schema/typebox.ts";
import type { SeenReplica } from "./replicas.ts";

/** Wire shapes of `fleet-health`. */

export const healthRequestSchema = Type.Object({});

const state = Type.Enum(["ok", "degraded", "down", "silent"], {
  description: "silent: it did not answer in time",
});

export const fleetHealthSchema = Type.Object({
  replicas: Type.Array(
    Type.Object({
      instance: Type.String(),
      status: state,
      version: nullable(Type.String()),
      uptime_seconds: nullable(Type.Number()),
      problems: Type.Array(Type.String()),
    }),
    { description: "by `instance`" },
  ),
  consumers: Type.Array(
    Type.Object({
      name: Type.String({ description: "<stream>/<durable>" }),
      pending: Type.Integer({ description: "messages the durable has not been given yet" }),
      ack_pending: Type.Integer({ description: "given and not acked yet" }),
    }),
    { description: "by `name`" },
  ),
  dead_letters_open: nullable(Type.Integer({ description: "not replayed; null: not known" })),
});

export type FleetHealth = Static<typeof fleetHealthSchema>;

/** What all replicas together say; of a durable that several look at, the longest wait. */
export function fleetHealth(seen: readonly SeenReplica[]): FleetHealth {
  const consumers = new Map<string, { pending: number; ack_pending: number }>();
  let open: number | null = null;
  for (const { health } of seen) {
    if (health === null) continue;
    for (const [name, { pending, ack_pending }] of Object.entries(health.checks.consumers)) {
      const known = consumers.get(name) ?? { pending: 0, ack_pending: 0 };
      consumers.set(name, {
        pending: Math.max(known.pending, pending),
        ack_pending: Math.max(known.ack_pending, ack_pending),
      });
    }
    open = health.checks.dead_letters?.open ?? open;
  }
  return {
    replicas: seen.map(({ instance, health }) => ({
      instance,
      status: health?.status ?? ("silent" as const),
      version: health?.version ?? null,
      uptime_seconds: health?.uptime_seconds ?? null,
      problems: health?.problems ?? [],
    })),
    consumers: [...consumers]
      .map(([name, figures]) => ({ name, ...figures }))
      .sort((a, b) => (a.name < b.name ? -1 : 1)),
    dead_letters_open: open,
  };
}
