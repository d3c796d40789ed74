import { BusError } from "../../errors.ts";
import { readerOf } from "../../schema/dialect.ts";
import { checkedId, eventTime, type MessageContext } from "../../schema/event-context.ts";
import { parseJsonObject } from "../../schema/json.ts";
import { maskSecretsIn, maskSecretsOfId } from "../../schema/secrets.ts";
import { Type } from "../../schema/typebox.ts";
import type { UserEvent } from "./event.ts";

/** One JSON object, at most this many bytes. */
export const maxUserEventBytes = 256 * 1024;

const id = (description: string) => Type.String({ minLength: 1, maxLength: 128, description });
const time = Type.Union([Type.String({ maxLength: 128 }), Type.Number()], {
  description: "event time: ISO 8601, or epoch s, ms, µs or ns; default: when it was stored",
});
const version = Type.Union([Type.String({ maxLength: 64 }), Type.Number()], {
  description: "of the payload, as the producer counts; not interpreted",
});

/**
 * The envelope of `signals.>` and `feedback.>`. Unknown fields are ignored; other spellings are read as
 * `schema/dialect.ts` says.
 */
export const userEventSchema = Type.Object(
  {
    event_id: Type.Optional(id("identity; default: header Nats-Msg-Id, else stream and sequence")),
    user_id: id("whom it is about"),
    tenant_id: Type.Optional(id("default: default")),
    ts: Type.Optional(time),
    occurred_at: Type.Optional({ ...time, description: "the same as ts, which counts first" }),
    type: Type.Optional(id("what happened; default: the subject")),
    schema_version: Type.Optional(version),
    producer: Type.Optional(Type.String({ maxLength: 1_024, description: "which system says so" })),
    payload: Type.Optional(Type.Record(Type.String(), Type.Unknown(), { description: "the rest" })),
  },
  { $id: "user.event.v1", title: "User signal or feedback" },
);

const userEvents = readerOf(userEventSchema);

/**
 * Decodes one payload. Throws `BusError` `bad_request` (or `too_large`) with the reason, which names the
 * field and the rule but never repeats the event's text.
 */
export function decodeUserEvent(
  payload: Uint8Array,
  subject: string,
  context: MessageContext,
): UserEvent {
  if (payload.length > maxUserEventBytes) {
    const text = `payload has ${payload.length} bytes, at most ${maxUserEventBytes}`;
    throw new BusError("too_large", text);
  }
  const value = userEvents.read(parseJsonObject(payload));
  const named = value.ts === undefined ? "occurred_at" : "ts";
  return {
    eventId: maskSecretsOfId(value.event_id ?? checkedId(context.defaultEventId, "Nats-Msg-Id")),
    tenantId: maskSecretsOfId(value.tenant_id ?? "default"),
    userId: maskSecretsOfId(value.user_id),
    ts: eventTime(value[named], context, named),
    storedAt: context.storedAt,
    subject,
    type: maskSecretsOfId(value.type ?? checkedId(subject, "a subject without a type")),
    payload: maskSecretsIn(value.payload ?? {}),
  };
}
