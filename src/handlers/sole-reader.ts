import type { AttemptsLog } from "../kv/attempts.ts";
import type { WantedDurable } from "../nats/desired-state.ts";
import { openLeases } from "../postgres/leases.ts";
import { openPositions, type Positions } from "../postgres/positions.ts";
import { type Lease, startLease } from "../runtime/lease.ts";
import { openAttempts, probeAttempts } from "./attempts.ts";
import type { ConcernContext } from "./concern.ts";

/** What the one replica needs that reads a concern's only durable, in the order of its stream. */
export interface SoleReader {
  readonly durable: WantedDurable;
  readonly attempts: AttemptsLog;
  /** Of being the reader; its opener stops it. */
  readonly lease: Lease;
  readonly positions: Positions;
  /** Whether its bucket can be read. */
  probeKv(): Promise<void>;
}

/** `name`: of the durable, under which the lease is. Rejects as `openAttempts` does. */
export async function openSoleReader(context: ConcernContext, name: string): Promise<SoleReader> {
  const { opened, desired, instance, log, onFatal } = context;
  const [durable] = desired.durables;
  if (durable === undefined) throw new Error("the concern declares no durable");
  const attempts = await openAttempts(context, name);
  return {
    durable,
    attempts,
    positions: openPositions(opened.database),
    lease: startLease({
      ...{ leases: openLeases(opened.database), name, holder: instance },
      ...{ log, onFatal },
    }),
    probeKv: () => probeAttempts(attempts),
  };
}
