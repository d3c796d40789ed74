import { BusError } from "../../errors.ts";
import { fieldOf, readerOf } from "../../schema/dialect.ts";
import { checkedId, eventTime, type MessageContext } from "../../schema/event-context.ts";
import { parseJsonObject } from "../../schema/json.ts";
import { maskSecretsIn, maskSecretsOfId } from "../../schema/secrets.ts";
import { Type } from "../../schema/typebox.ts";
import type { RunEvent } from "./event.ts";

/** There is room behind it for the event that ends an abandoned run. */
const largestCursor = Number.MAX_SAFE_INTEGER - 1_000;

/** One JSON object, at most this many bytes. */
export const maxRunEventBytes = 256 * 1024;

const id = (description: string) => Type.String({ minLength: 1, maxLength: 128, description });

/**
 * `agent.run.v1.<run id>`: what happened in a run. Unknown fields are ignored; other spellings are read as
 * `schema/dialect.ts` says.
 */
export const runEventSchema = Type.Object(
  {
    event_id: Type.Optional(
      id(
        "identity within its run; default: the cursor, else header Nats-Msg-Id, else the sequence",
      ),
    ),
    run_id: id("the run it belongs to"),
    tenant_id: Type.Optional(id("default: default")),
    agent_id: Type.Optional(id("who runs")),
    session_id: Type.Optional(id("the conversation it belongs to")),
    cursor: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: largestCursor,
        description: "its place in the run, growing; default: assigned when it is stored",
      }),
    ),
    type: id("what happened; run_completed, run_failed, error and run_cancelled end the run"),
    data: Type.Optional(Type.Record(Type.String(), Type.Unknown(), { description: "the rest" })),
    terminal_status: Type.Optional(
      Type.Enum(["completed", "quota_exceeded"], { description: "with run_completed" }),
    ),
    ts: Type.Optional(
      Type.Union([Type.String({ maxLength: 128 }), Type.Number()], {
        description: "event time: ISO 8601, or epoch s, ms, µs or ns; default: when it was stored",
      }),
    ),
  },
  { $id: "agent.run.v1", title: "Event of a run" },
);

const runEvents = readerOf(runEventSchema);

/** Throws `BusError` `bad_request` (or `too_large`) with the reason, which never repeats the event's text. */
export function decodeRunEvent(payload: Uint8Array, context: MessageContext): RunEvent {
  if (payload.length > maxRunEventBytes) {
    const text = `payload has ${payload.length} bytes, at most ${maxRunEventBytes}`;
    throw new BusError("too_large", text);
  }
  return runEventFrom(parseJsonObject(payload), context);
}

/** The same for a value that is parsed already. */
export function runEventFrom(given: unknown, context: MessageContext): RunEvent {
  const value = runEvents.read(given);
  const { cursor = null } = value;
  const data = maskSecretsIn(value.data ?? {});
  const ofCursor = cursor === null ? undefined : `cursor:${cursor}`;
  const told = value.terminal_status ?? fieldOf(data, "terminal_status");
  return {
    eventId: maskSecretsOfId(
      value.event_id ?? ofCursor ?? checkedId(context.defaultEventId, "Nats-Msg-Id"),
    ),
    tenantId: maskSecretsOfId(value.tenant_id ?? "default"),
    runId: maskSecretsOfId(value.run_id),
    agentId: maskedOrNull(value.agent_id),
    sessionId: maskedOrNull(value.session_id),
    cursor,
    type: maskSecretsOfId(value.type),
    data,
    terminalStatus: typeof told === "string" ? told : null,
    ts: eventTime(value.ts, context),
    storedAt: context.storedAt,
  };
}

function maskedOrNull(id: string | undefined): string | null {
  return id === undefined ? null : maskSecretsOfId(id);
}
