import type { DesiredState, JetStreamBuilder } from "../nats/desired-state.ts";
import type { Privileges } from "../postgres/privileges.ts";
import { deadLettersStream, deadLettersSubjects } from "../subjects.ts";
import type { DeclaredEndpoints } from "./declared-endpoint.ts";

/** What every replica has, whichever concerns it hosts: health, stats, dead letters written, leases. */
export const always = {
  endpoints: {
    health: { does: "health of whichever replica answers", may: "read", get: true, fleet: true },
    "health-instance": { does: "health of that replica", may: "read", get: true, fleet: true },
    stats: {
      does: "figures of the fleet, and under `instance` of the replica that answers",
      may: "read",
      get: true,
      fleet: true,
    },
  },
  tables: {
    "public.leases": ["SELECT", "INSERT", "UPDATE", "DELETE"],
    "public.stream_positions": ["SELECT", "INSERT", "UPDATE"],
    // Waits for migrations, and makes none.
    "drizzle.experience_bus_migrations": ["SELECT"],
  },
  jetstream: (build: JetStreamBuilder): DesiredState => ({
    streams: [build.output(deadLettersStream, [deadLettersSubjects])],
    durables: [],
  }),
} as const satisfies {
  readonly endpoints: DeclaredEndpoints;
  readonly tables: Privileges;
  readonly jetstream: (build: JetStreamBuilder) => DesiredState;
};
