import { Type } from "typebox";
import { Compile } from "typebox/compile";
import { BusError } from "../../errors.ts";
import {
  checkedId,
  eventTime,
  firstProblem,
  type MessageContext,
  notAhead,
} from "../../schema/event-context.ts";
import { parseJsonObject } from "../../schema/json.ts";
import type { ExperienceEvent, OkGlance } from "./event.ts";
import { type PlainEvent, readPlainEvent } from "./plain-event.ts";
import { withoutSecrets } from "./secrets.ts";

/** One JSON object, at most this many bytes. */
export const maxEventBytes = 256 * 1024;

const id = (description: string) => Type.String({ minLength: 1, maxLength: 128, description });
const name = (description: string) => Type.String({ maxLength: 1_024, description });
const classText = (description: string) => Type.String({ maxLength: 8_192, description });
const amount = (description: string) => Type.Number({ minimum: 0, description });

/** `agent.experience.v1.<agent>`: what an agent says happened. Unknown fields are ignored. */
export const experienceEventSchema = Type.Object(
  {
    event_id: Type.Optional(id("identity; default: header Nats-Msg-Id, else stream and sequence")),
    ts: Type.Optional(
      Type.Union([Type.String({ maxLength: 64 }), Type.Number()], {
        description: "event time: ISO 8601, or epoch ms; default: when the stream stored it",
      }),
    ),
    tenant_id: Type.Optional(id("default: default")),
    agent_id: Type.Optional(id("default: the subject's last token")),
    // Part of an index, whose rows PostgreSQL limits to 2,704 bytes: 256 characters may be 1,024 bytes.
    task_type: Type.Optional(Type.String({ maxLength: 256, description: "default: unknown" })),
    source: Type.Optional(name("which system reports")),
    run_id: Type.Optional(name("the piece of work it belongs to")),
    request_id: Type.Optional(name("the request it belongs to")),
    node: Type.Optional(name("where it ran")),
    result: Type.Object({
      ok: Type.Boolean({ description: "whether it worked" }),
      error_class: Type.Optional(classText("kind of failure; default: http_<status>, or unknown")),
      error_message: Type.Optional(Type.String({ description: "free text; never stored" })),
      http_status: Type.Optional(
        Type.Integer({
          minimum: 0,
          maximum: Number.MAX_SAFE_INTEGER,
          description: "of the failure",
        }),
      ),
      silent: Type.Optional(Type.Boolean({ description: "the agent gave no answer" })),
      cancelled: Type.Optional(
        Type.Boolean({ description: "stopped on purpose: counted apart, never evidence" }),
      ),
    }),
    llm: Type.Optional(
      Type.Object({
        provider: Type.Optional(name("who served the call")),
        model: Type.Optional(name("which model")),
        profile: Type.Optional(name("which configuration of it")),
        latency_ms: Type.Optional(amount("milliseconds")),
        tokens_in: Type.Optional(amount("tokens")),
        tokens_out: Type.Optional(amount("tokens")),
      }),
    ),
    tool: Type.Optional(
      Type.Object({
        name: Type.Optional(name("the tool called")),
        latency_ms: Type.Optional(amount("milliseconds of the tool's own")),
      }),
    ),
    policy: Type.Optional(
      Type.Object({
        sowa_decision: Type.Optional(name("SILENT: the agent gave no answer")),
        reason: Type.Optional(name("why policy decided so")),
      }),
    ),
    feedback: Type.Optional(
      Type.Object({
        user_signal: Type.Optional(
          Type.Enum(["none", "positive", "negative", "retry", "timeout"], {
            description: "what the user made of it",
          }),
        ),
      }),
    ),
  },
  { $id: "agent.experience.v1", title: "Agent experience event" },
);

const compiled = Compile(experienceEventSchema);

/** The agent counts as known, too, where the event does not name one. */
export interface EventContext extends MessageContext {
  readonly defaultAgentId: string;
}

/**
 * Decodes one payload. Throws `BusError` `bad_request` (or `too_large`) with the reason, which names
 * the field and the rule but never repeats the event's text.
 */
export function decodeEvent(payload: Uint8Array, context: EventContext): ExperienceEvent {
  const plain = readPlainEvent(payload);
  return plain ? fromPlain(plain, context) : decodeAny(payload, context);
}

/** The same, but null for a valid OK event that `canPassOver` has no use for, which is then hardly read. */
export function decodeUnless(
  payload: Uint8Array,
  context: EventContext,
  canPassOver: (glance: OkGlance) => boolean,
): ExperienceEvent | null {
  const plain = readPlainEvent(payload);
  if (plain === null) {
    const event = decodeAny(payload, context);
    return event.ok && canPassOver(event) ? null : event;
  }
  const eventId = plain.ok && plain.hasText("agentId") ? plain.text("eventId") : undefined;
  if (eventId !== undefined) {
    const { silent, cancelled, latencyMs, toolLatencyMs } = plain;
    if (canPassOver({ eventId, silent, cancelled, latencyMs, toolLatencyMs })) return null;
  }
  return fromPlain(plain, context);
}

/** Without the short cut for plain events, which must not make a difference. */
export function decodeAny(payload: Uint8Array, context: EventContext): ExperienceEvent {
  if (payload.length > maxEventBytes) {
    throw new BusError(
      "too_large",
      `payload has ${payload.length} bytes, at most ${maxEventBytes}`,
    );
  }
  return eventFrom(parseJsonObject(payload), context);
}

function fromPlain(plain: PlainEvent, context: EventContext): ExperienceEvent {
  const { ok, ts, latencyMs, httpStatus } = plain;
  const storedAt = context.storedAt;
  const http_status = Number.isNaN(httpStatus) ? undefined : httpStatus;
  return withoutSecrets({
    eventId: plain.text("eventId") ?? checkedId(context.defaultEventId, "Nats-Msg-Id"),
    ts: Number.isNaN(ts) ? storedAt : notAhead(ts, context),
    storedAt,
    tenantId: plain.text("tenantId") ?? "default",
    agentId: plain.text("agentId") ?? checkedId(context.defaultAgentId, "the subject's last token"),
    taskType: plain.text("taskType") ?? "unknown",
    runId: plain.text("runId"),
    requestId: plain.text("requestId"),
    source: plain.text("source"),
    node: plain.text("node"),
    ok,
    errorClass: ok ? undefined : errorClass(plain.text("errorClass"), http_status),
    httpStatus: http_status,
    cancelled: plain.cancelled,
    silent: plain.silent,
    provider: plain.text("provider"),
    model: plain.text("model"),
    profile: plain.text("profile"),
    latencyMs: Number.isNaN(latencyMs) ? undefined : latencyMs,
    tool: plain.text("tool"),
    toolLatencyMs: Number.isNaN(plain.toolLatencyMs) ? undefined : plain.toolLatencyMs,
    reason: plain.text("reason"),
  });
}

/** The same for a value that is parsed already. */
export function eventFrom(value: unknown, context: EventContext): ExperienceEvent {
  if (!compiled.Check(value))
    throw new BusError("bad_request", firstProblem(compiled.Errors(value)));
  const { result, llm, policy, tool } = value;
  const silent = result.silent === true || policy?.sowa_decision === "SILENT";
  const storedAt = context.storedAt;
  return withoutSecrets({
    eventId: value.event_id ?? checkedId(context.defaultEventId, "Nats-Msg-Id"),
    ts: eventTime(value.ts, context),
    storedAt,
    tenantId: value.tenant_id ?? "default",
    agentId: value.agent_id ?? checkedId(context.defaultAgentId, "the subject's last token"),
    taskType: value.task_type ?? "unknown",
    runId: value.run_id,
    requestId: value.request_id,
    source: value.source,
    node: value.node,
    ok: result.ok,
    errorClass: result.ok ? undefined : errorClass(result.error_class, result.http_status),
    httpStatus: result.http_status,
    cancelled: result.cancelled === true,
    silent,
    provider: llm?.provider,
    model: llm?.model,
    profile: llm?.profile,
    latencyMs: llm?.latency_ms,
    tool: tool?.name,
    toolLatencyMs: tool?.latency_ms,
    reason: policy?.reason,
  });
}

function errorClass(given: string | undefined, httpStatus: number | undefined): string {
  if (given !== undefined && given.trim() !== "") return given;
  return httpStatus === undefined ? "unknown" : `http_${httpStatus}`;
}
