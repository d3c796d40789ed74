import type { JetStreamClient } from "@nats-io/jetstream";
import { translateOwnWrite } from "../../nats/errors.ts";
import type { Upkeep } from "../../runtime/maintenance.ts";
import { changeSubject } from "../../subjects.ts";
import type { Iterations, OutboxRow } from "./iterations.ts";
import type { MissionMetrics } from "./metrics.ts";

export interface Outbox {
  /** Publishes, then takes out of the outbox; harmless when it was done before. Rejects in an outage. */
  publish(row: OutboxRow): Promise<void>;
}

/** `Nats-Msg-Id` is the iteration's id: publishing again within the stream's duplicate window stores once. */
export function openOutbox(
  js: JetStreamClient,
  iterations: Pick<Iterations, "published">,
  metrics: Pick<MissionMetrics, "plansWrittenBack">,
): Outbox {
  return {
    async publish({ eventId, change }) {
      const subject = changeSubject(change.table, change.record_id);
      try {
        const { duplicate } = await js.publish(subject, JSON.stringify(change), { msgID: eventId });
        if (!duplicate && change.actor["kind"] === "ai") metrics.plansWrittenBack.inc();
      } catch (error) {
        throw translateOwnWrite(error);
      }
      await iterations.published(eventId);
    },
  };
}

/** A change is published at once by the replica that wrote it; what is there for longer was left behind. */
const leftBehindMs = 5_000;
const rowsAtOnce = 500;

export function outboxUpkeep(iterations: Pick<Iterations, "unpublished">, outbox: Outbox): Upkeep {
  return {
    name: "publishing changes of missions that were left behind",
    everyMs: 5_000,
    async run(signal) {
      let left: readonly OutboxRow[];
      do {
        left = await iterations.unpublished(leftBehindMs, rowsAtOnce);
        for (const row of left) {
          if (signal.aborted) return;
          await outbox.publish(row);
        }
      } while (left.length === rowsAtOnce);
    },
  };
}

/** A budget looks back for a day. */
const keptMs = 2 * 86_400_000;

export function tokenRemoval(iterations: Pick<Iterations, "removeTokens">): Upkeep {
  return {
    name: "removing old figures of tokens",
    everyMs: 3_600_000,
    run: () => iterations.removeTokens(new Date(Date.now() - keptMs)),
  };
}
