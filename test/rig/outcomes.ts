import type { Stack } from "./service.ts";
import type { WireEvent } from "./traffic.ts";

/** An event as the stream has it; the time is epoch ms. */
export interface StoredEvent {
  readonly at: number;
  readonly event: WireEvent;
}

export async function storedEvents({
  broker: { js, jsm },
}: Pick<Stack, "broker">): Promise<StoredEvent[]> {
  const { state } = await jsm.streams.info("EXPERIENCE");
  const { name } = await jsm.consumers.add("EXPERIENCE", {
    ...{ ack_policy: "none", mem_storage: true, inactive_threshold: 60e9 },
  });
  const consumer = await js.consumers.get("EXPERIENCE", name);
  const found: StoredEvent[] = [];
  while (found.length < state.messages) {
    const batch = await consumer.fetch({ max_messages: 1_000, expires: 1_000 });
    for await (const message of batch) {
      found.push({ at: message.time.getTime(), event: message.json<WireEvent>() });
    }
  }
  return found;
}

export interface ExpectedArm {
  readonly exposed: number;
  readonly runs: number;
  readonly failed: number;
  readonly unseen: number;
}

/**
 * What became of the runs of each lesson by the horizon, worked out from what is stored: whatever the machine was busy with
 * meanwhile, this is what has to be counted. `failsAs`: of which lesson, by its key, an event is a failure.
 */
export async function expectedOutcomes(
  stack: Pick<Stack, "broker" | "database">,
  horizonMs: number,
  failsAs: (event: WireEvent) => string | null,
): Promise<ReadonlyMap<string, Record<"attached" | "held_out", ExpectedArm>>> {
  const byRun = new Map<string, StoredEvent[]>();
  for (const one of await storedEvents(stack)) {
    const run = String(one.event["run_id"]);
    byRun.set(run, [...(byRun.get(run) ?? []), one]);
  }
  const exposures = await stack.database.sql<
    { run_id: string; lesson_key: string; attached: boolean; at: number }[]
  >`
    SELECT run_id, lesson_key, attached, (extract(epoch FROM exposed_at) * 1000)::float8 AS at FROM lesson_exposures`;
  const none = { exposed: 0, runs: 0, failed: 0, unseen: 0 };
  const arms = new Map<string, Record<"attached" | "held_out", ExpectedArm>>();
  for (const { run_id, lesson_key, attached, at } of exposures) {
    const within = (byRun.get(run_id) ?? []).filter(
      (one) => one.at > at && one.at <= at + horizonMs,
    );
    const failed = within.some(({ event }) => failsAs(event) === lesson_key);
    const known = arms.get(lesson_key) ?? { attached: none, held_out: none };
    const arm = attached ? "attached" : "held_out";
    const { exposed, runs, failed: before, unseen } = known[arm];
    arms.set(lesson_key, {
      ...known,
      [arm]: {
        ...{ exposed: exposed + 1, runs: runs + 1, failed: before + Number(failed) },
        unseen: unseen + Number(within.length === 0),
      },
    });
  }
  return arms;
}
