import { randomUUID } from "node:crypto";
import type { JetStreamClient } from "@nats-io/jetstream";
import { Type } from "typebox";
import { BusError, isRefusal } from "../../errors.ts";
import { nats } from "../../nats/errors.ts";
import { defaultEventIdOf, type StoredMessage } from "../../runtime/delivery.ts";
import { inspectJson, parseJsonItems } from "../../schema/json.ts";
import { changeSubject } from "../../subjects.ts";
import type { ConcernPart } from "../concern.ts";
import type { Change } from "./change.ts";
import { changeFrom, changeSchema, decodeChange, maxChangeBytes } from "./change-wire.ts";
import { changeMessageId } from "./message-id.ts";
import type { MissionMetrics } from "./metrics.ts";
import { applyChanges, type Snapshots } from "./store.ts";

/** The most changes that one request may carry. */
const mostChanges = 1_000;

const replySchema = Type.Object({
  stored: Type.Integer({ description: "changes that the stream has now because of this request" }),
  duplicates: Type.Integer({ description: "changes whose `event_id` it had already" }),
  invalid: Type.Array(Type.Object({ index: Type.Integer(), reason: Type.String() })),
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
        request: Type.Union([changeSchema, Type.Array(changeSchema, { maxItems: mostChanges })]),
        reply: replySchema,
        decode: decodeRequest,
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

function decodeRequest(payload: Uint8Array): readonly unknown[] {
  if (payload.length === 0) throw new BusError("bad_request", "the request is empty");
  const values = parseJsonItems(payload);
  if (values.length <= mostChanges) return values;
  const message = `${values.length} changes in a request, at most ${mostChanges}`;
  throw new BusError("too_large", message);
}

async function publishValid(values: readonly unknown[], js: JetStreamClient): Promise<AppendReply> {
  const invalid: { index: number; reason: string }[] = [];
  const results = await Promise.all(
    values.map((value, index) =>
      publish(value, js).catch((error: unknown) => {
        // Ours, or the stream's: it may have a limit of its own.
        if (!isRefusal(error)) throw error;
        invalid.push({ index, reason: error.message });
        return "invalid" as const;
      }),
    ),
  );
  const countOf = (wanted: string) => results.filter((result) => result === wanted).length;
  return { stored: countOf("stored"), duplicates: countOf("duplicate"), invalid };
}

async function publish(value: unknown, js: JetStreamClient): Promise<"stored" | "duplicate"> {
  inspectJson(value);
  const payload = Buffer.from(JSON.stringify(value));
  if (payload.length > maxChangeBytes) {
    throw new BusError("too_large", `has ${payload.length} bytes, at most ${maxChangeBytes}`);
  }
  const change = changeFrom(value, { defaultEventId: randomUUID(), storedAt: Date.now() });
  const subject = changeSubject(change.table, change.recordId);
  const msgID = changeMessageId(change);
  const { duplicate } = await nats(() => js.publish(subject, payload, { msgID }));
  return duplicate ? "duplicate" : "stored";
}
