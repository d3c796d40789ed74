import { randomUUID } from "node:crypto";
import type { JetStreamClient } from "@nats-io/jetstream";
import { nats } from "../../nats/errors.ts";
import { defaultEventIdOf, type StoredMessage } from "../../runtime/delivery.ts";
import { invalidItemsSchema, itemPayload, manyItems, takeEach } from "../../schema/many-items.ts";
import { Type } from "../../schema/typebox.ts";
import { changeSubject } from "../../subjects.ts";
import type { ConcernPart } from "../concern.ts";
import type { Change } from "./change.ts";
import { changeFrom, changeSchema, decodeChange, maxChangeBytes } from "./change-wire.ts";
import { changeMessageId } from "./message-id.ts";
import type { MissionMetrics } from "./metrics.ts";
import { applyChanges, type Snapshots } from "./store.ts";

const manyChanges = manyItems(changeSchema, { max: 1_000, noun: "changes" });

const replySchema = Type.Object({
  stored: Type.Integer({ description: "changes that the stream has now because of this request" }),
  duplicates: Type.Integer({ description: "changes whose `event_id` it had already" }),
  invalid: invalidItemsSchema,
});
type AppendReply = Type.Static<typeof replySchema>;

/** Keeps snapshots from `agent.change.v1.>`, and is the way to write changes with an answer. */
export function changes(options: {
  readonly source: { readonly stream: string; readonly durable: string };
  readonly js: JetStreamClient;
  readonly snapshots: Pick<Snapshots, "read" | "write">;
  readonly metrics: MissionMetrics;
}): ConcernPart {
  const { source, js, snapshots, metrics } = options;
  return {
    endpoints: [
      {
        name: "changes-append",
        ...manyChanges,
        reply: replySchema,
        handle: (values) => publishValid(values, js),
      },
    ],
    consumptions: [
      {
        ...source,
        decode: (message: StoredMessage) =>
          decodeChange(message.data, {
            defaultEventId: defaultEventIdOf(message),
            storedAt: message.storedAt,
          }),
        onInvalid: () => metrics.changes.inc({ outcome: "invalid" }),
        async handle(batch: readonly Change[]) {
          const applied = await applyChanges(batch, snapshots);
          metrics.snapshotsNew.inc(applied.inserted);
          metrics.snapshotsUpdated.inc(applied.updated);
          metrics.snapshotRows.inc(applied.changes);
          metrics.changes.inc({ outcome: "applied" }, applied.changes);
          metrics.changes.inc({ outcome: "without_effect" }, batch.length - applied.changes);
        },
      },
    ],
  };
}

async function publishValid(values: readonly unknown[], js: JetStreamClient): Promise<AppendReply> {
  // What is refused is so by us, or by the stream: it may have a limit of its own.
  const { taken, invalid } = await takeEach(values, (value) => publish(value, js));
  const countOf = (wanted: string) => taken.filter((result) => result === wanted).length;
  return { stored: countOf("stored"), duplicates: countOf("duplicate"), invalid: [...invalid] };
}

async function publish(value: unknown, js: JetStreamClient): Promise<"stored" | "duplicate"> {
  const payload = itemPayload(value, maxChangeBytes);
  const change = changeFrom(value, { defaultEventId: randomUUID(), storedAt: Date.now() });
  const subject = changeSubject(change.table, change.recordId);
  const msgID = changeMessageId(change);
  const { duplicate } = await nats(() => js.publish(subject, payload, { msgID }));
  return duplicate ? "duplicate" : "stored";
}
