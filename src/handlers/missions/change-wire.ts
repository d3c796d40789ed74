import { BusError } from "../../errors.ts";
import { checkedId, firstProblem } from "../../schema/event-context.ts";
import { parseJsonObject } from "../../schema/json.ts";
import { parseTimestamp } from "../../schema/timestamp.ts";
import { Compile, Type } from "../../schema/typebox.ts";
import { type Change, isoTime, operations } from "./change.ts";

/** One JSON object, at most this many bytes. */
export const maxChangeBytes = 256 * 1024;

const id = (description: string) => Type.String({ minLength: 1, maxLength: 128, description });
const time = Type.Union([Type.String({ maxLength: 64 }), Type.Number()], {
  description: "ISO 8601, or epoch ms",
});

/** `agent.change.v1.<table>.<record id>`: a change of a record. Unknown fields are ignored. */
export const changeSchema = Type.Object(
  {
    event_id: Type.Optional(id("identity; default: header Nats-Msg-Id, else stream and sequence")),
    tenant_id: Type.Optional(id("default: default")),
    user_id: id("whose record it is"),
    table: id("agents, missions, or any that missions read"),
    record_id: id("the record"),
    op: Type.Enum([...operations], { description: "a delete is final" }),
    data: Type.Optional(
      Type.Record(Type.String(), Type.Unknown(), { description: "fields and their values" }),
    ),
    field_meta: Type.Optional(
      Type.Record(Type.String(), time, {
        description: "field → when it was written; default: `ts`",
      }),
    ),
    ts: Type.Optional(time),
    actor: Type.Optional(
      Type.Record(Type.String(), Type.Unknown(), {
        description: "who made it; passed on as it is",
      }),
    ),
  },
  { $id: "agent.change.v1", title: "Change of a record" },
);

const compiled = Compile(changeSchema);

/** The other spellings of fields that stand at the top of a change. */
const spellings = {
  eventId: "event_id",
  tenantId: "tenant_id",
  userId: "user_id",
  recordId: "record_id",
  fieldMeta: "field_meta",
} as const;

/** What is known of a change besides its payload. */
export interface ChangeContext {
  /** The identity, where the change does not carry one. */
  readonly defaultEventId: string;
  /** When the stream stored it, epoch ms. */
  readonly storedAt: number;
}

/** Throws `BusError` `bad_request` (or `too_large`) with the reason, which never repeats the change's text. */
export function decodeChange(payload: Uint8Array, context: ChangeContext): Change {
  if (payload.length > maxChangeBytes) {
    const text = `payload has ${payload.length} bytes, at most ${maxChangeBytes}`;
    throw new BusError("too_large", text);
  }
  return changeFrom(parseJsonObject(payload), context);
}

/** The same for a value that is parsed already. */
export function changeFrom(given: unknown, context: ChangeContext): Change {
  const value = withoutNulls(given);
  if (!compiled.Check(value)) {
    throw new BusError("bad_request", firstProblem(compiled.Errors(value)));
  }
  const { data = {}, field_meta: fieldMeta = {} } = value;
  const fieldTimes = Object.entries(fieldMeta).map(([field, at]) => [
    field,
    timeOf(at, "field_meta"),
  ]);
  return {
    eventId: value.event_id ?? checkedId(context.defaultEventId, "Nats-Msg-Id"),
    tenantId: value.tenant_id ?? "default",
    userId: value.user_id,
    table: value.table,
    recordId: value.record_id,
    op: value.op,
    data,
    fieldTimes: Object.fromEntries(fieldTimes),
    ts: value.ts === undefined ? isoTime(context.storedAt) : timeOf(value.ts, "ts"),
  };
}

/** The clock of whoever wrote decides, however far ahead: otherwise a snapshot would hang on when it was stored. */
function timeOf(value: string | number, field: string): string {
  const ms = parseTimestamp(value);
  if (ms === null)
    throw new BusError("bad_request", `${field}: expected ISO 8601 or epoch milliseconds`);
  return isoTime(ms);
}

/** At the top, null is the same as absent; so it is for the time of a field. Values of `data` stay as they are. */
function withoutNulls(given: unknown): unknown {
  if (typeof given !== "object" || given === null || Array.isArray(given)) return given;
  const value: Record<string, unknown> = {};
  for (const [name, one] of Object.entries(given)) {
    const known = Object.hasOwn(spellings, name) ? spellings[name as keyof typeof spellings] : name;
    // Where both spellings are there, snake_case counts.
    if (one !== null && (known === name || !Object.hasOwn(value, known))) value[known] = one;
  }
  const meta = value["field_meta"];
  if (typeof meta === "object" && meta !== null && !Array.isArray(meta)) {
    value["field_meta"] = Object.fromEntries(Object.entries(meta).filter(([, at]) => at !== null));
  }
  return value;
}
