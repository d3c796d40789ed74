import { Type } from "typebox";
import { Compile } from "typebox/compile";
import { BusError } from "../../errors.ts";
import {
  checkedId,
  eventTime,
  firstProblem,
  type MessageContext,
} from "../../schema/event-context.ts";
import { parseJsonObject } from "../../schema/json.ts";
import { maskSecretsIn, maskSecretsOfId } from "../../schema/secrets.ts";
import type { UserEvent } from "./event.ts";

/** One JSON object, at most this many bytes. */
export const maxUserEventBytes = 256 * 1024;

const id = (description: string) => Type.String({ minLength: 1, maxLength: 128, description });
const time = Type.Union([Type.String({ maxLength: 64 }), Type.Number()], {
  description: "event time: ISO 8601, or epoch ms; default: when the stream stored it",
});
const version = Type.Union([Type.String({ maxLength: 64 }), Type.Number()], {
  description: "of the payload, as the producer counts; not interpreted",
});

/** The envelope of `signals.>` and `feedback.>`. Unknown fields are ignored. */
const userEventSchema = Type.Object(
  {
    event_id: Type.Optional(id("identity; default: header Nats-Msg-Id, else stream and sequence")),
    user_id: Type.Optional(id("whom it is about; required, here or as userId")),
    tenant_id: Type.Optional(id("default: default")),
    ts: Type.Optional(time),
    type: Type.Optional(id("what happened; default: the subject")),
    schema_version: Type.Optional(version),
    producer: Type.Optional(Type.String({ maxLength: 1_024, description: "which system says so" })),
    payload: Type.Optional(Type.Record(Type.String(), Type.Unknown(), { description: "the rest" })),
    eventId: Type.Optional(id("the same as event_id")),
    userId: Type.Optional(id("the same as user_id")),
    tenantId: Type.Optional(id("the same as tenant_id")),
    occurredAt: Type.Optional(time),
    schemaVersion: Type.Optional(version),
  },
  { $id: "user.event.v1", title: "User signal or feedback" },
);

const compiled = Compile(userEventSchema);

/**
 * Decodes one payload. Throws `BusError` `bad_request` (or `too_large`) with the reason, which names the
 * field and the rule but never repeats the event's text. Where a field is there under both of its names,
 * the one with the underscore counts.
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
  const value: unknown = parseJsonObject(payload);
  if (!compiled.Check(value)) {
    throw new BusError("bad_request", firstProblem(compiled.Errors(value)));
  }
  const userId = value.user_id ?? value.userId;
  if (userId === undefined) throw new BusError("bad_request", "user_id: is required");
  const eventId =
    value.event_id ?? value.eventId ?? checkedId(context.defaultEventId, "Nats-Msg-Id");
  return {
    eventId: maskSecretsOfId(eventId),
    tenantId: maskSecretsOfId(value.tenant_id ?? value.tenantId ?? "default"),
    userId: maskSecretsOfId(userId),
    ts:
      value.ts === undefined
        ? eventTime(value.occurredAt, context, "occurredAt")
        : eventTime(value.ts, context),
    storedAt: context.storedAt,
    subject,
    type: maskSecretsOfId(value.type ?? checkedId(subject, "a subject without a type")),
    payload: maskSecretsIn(value.payload ?? {}),
  };
}
