import { BusError } from "../../errors.ts";
import { readerOf } from "../../schema/dialect.ts";
import { checkedId, eventTime, type MessageContext } from "../../schema/event-context.ts";
import { parseJsonObject } from "../../schema/json.ts";
import { knownShapes } from "../../schema/json-shapes.ts";
import { Type } from "../../schema/typebox.ts";
import type { ExperienceEvent } from "./event.ts";
import { classNamedIn } from "./rules/error-class/message.ts";
import { withoutSecrets } from "./secrets.ts";

/** One JSON object, at most this many bytes. */
export const maxEventBytes = 256 * 1024;

const id = (description: string) => Type.String({ minLength: 1, maxLength: 128, description });
const name = (description: string) => Type.String({ maxLength: 1_024, description });
const classText = (description: string) => Type.String({ maxLength: 8_192, description });
const amount = (description: string) => Type.Number({ minimum: 0, description });

/**
 * `agent.experience.v1.<agent>`: what an agent says happened. Unknown fields are ignored; other spellings are read
 * as `schema/dialect.ts` says.
 */
export const experienceEventSchema = Type.Object(
  {
    event_id: Type.Optional(id("identity; default: header Nats-Msg-Id, else stream and sequence")),
    ts: Type.Optional(
      Type.Union([Type.String({ maxLength: 128 }), Type.Number()], {
        description: "event time: ISO 8601, or epoch s, ms, µs or ns; default: when it was stored",
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
      error_class: Type.Optional(
        classText("kind of failure; default: http_<status>, the name in error_message, or unknown"),
      ),
      error_message: Type.Optional(
        Type.String({
          description: "free text; never stored but for the name or code of an error in it",
        }),
      ),
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

/** Finds what of an event is read, and what is not. */
export const experienceEvents = readerOf(experienceEventSchema);

/** The agent counts as known, too, where the event does not name one. */
export interface EventContext extends MessageContext {
  readonly defaultAgentId: string;
}

/**
 * Decodes one payload. Throws `BusError` `bad_request` (or `too_large`) with the reason, which names
 * the field and the rule but never repeats the event's text.
 */
export function decodeEvent(payload: Uint8Array, context: EventContext): ExperienceEvent {
  return withoutSecrets(understood(parsed(payload), context));
}

/** The same for a value that is parsed already. */
export function eventFrom(value: unknown, context: EventContext): ExperienceEvent {
  return withoutSecrets(understood(value, context));
}

/** Reads payloads of many producers, those that are like earlier ones without parsing them. */
export interface EventReader {
  /**
   * A look at an event whose shape is known: what it says without its secrets masked, and nothing of it may be kept. Null: it
   * has to be read. Throws as `read` does.
   */
  glance(payload: Uint8Array, context: EventContext): ExperienceEvent | null;
  /** Decodes one payload as `decodeEvent` does, but for its secrets, which are in it still. */
  read(payload: Uint8Array, context: EventContext): ExperienceEvent;
}

type WireEvent = ReturnType<typeof experienceEvents.read>;

export function eventReader(): EventReader {
  const shapes = knownShapes<WireEvent>(experienceEventSchema);
  let recognised: Uint8Array | undefined;
  return {
    glance(payload, context) {
      recognised = undefined;
      const event = payload.length > maxEventBytes ? null : shapes.read(payload);
      if (event === null) return null;
      recognised = payload;
      // What stands in for an id is another matter.
      return event.event_id === undefined ? null : eventOf(event, context);
    },
    read(payload, context) {
      const value = parsed(payload);
      const event = understood(value, context);
      if (recognised !== payload && experienceEvents.isUsual(value)) shapes.learn(payload);
      return event;
    },
  };
}

function parsed(payload: Uint8Array): unknown {
  if (payload.length > maxEventBytes) {
    throw new BusError(
      "too_large",
      `payload has ${payload.length} bytes, at most ${maxEventBytes}`,
    );
  }
  return parseJsonObject(payload);
}

function understood(value: unknown, context: EventContext): ExperienceEvent {
  return eventOf(experienceEvents.read(value), context);
}

/** The one place where events are made. */
function eventOf(event: WireEvent, context: EventContext): ExperienceEvent {
  const { result, llm, policy, tool } = event;
  return {
    eventId: event.event_id ?? checkedId(context.defaultEventId, "Nats-Msg-Id"),
    ts: eventTime(event.ts, context),
    storedAt: context.storedAt,
    tenantId: event.tenant_id ?? "default",
    agentId: event.agent_id ?? checkedId(context.defaultAgentId, "the subject's last token"),
    taskType: event.task_type ?? "unknown",
    runId: event.run_id,
    requestId: event.request_id,
    source: event.source,
    node: event.node,
    ok: result.ok,
    errorClass: result.ok ? undefined : errorClass(result),
    httpStatus: result.http_status,
    cancelled: result.cancelled === true,
    silent: result.silent === true || policy?.sowa_decision === "SILENT",
    provider: llm?.provider,
    model: llm?.model,
    profile: llm?.profile,
    latencyMs: llm?.latency_ms,
    tool: tool?.name,
    toolLatencyMs: tool?.latency_ms,
    reason: policy?.reason,
  };
}

/** Of the message nothing is kept but the name or code of an error, where it has one. */
function errorClass(result: {
  readonly error_class?: string | undefined;
  readonly http_status?: number | undefined;
  readonly error_message?: string | undefined;
}): string {
  const { error_class: given, http_status: status, error_message: message } = result;
  if (given !== undefined && given.trim() !== "") return given;
  if (status !== undefined) return `http_${status}`;
  return (message === undefined ? undefined : classNamedIn(message)) ?? "unknown";
}
