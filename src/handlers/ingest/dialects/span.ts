import { boundedId, type Call, isoOf, mappedCall } from "../build-event.ts";
import { type Failure, failureOf } from "../failure.ts";
import { ignored, type Mapped, type MappedRunEvent } from "../mapped.ts";
import { type Attributes, flagOf, numberOf, type Origin, type Span, textOf } from "../record.ts";
import { providerOf } from "./provider.ts";

/** `run`: of an agent or workflow, which is a run where nothing is above it. `ignored`: of this dialect, and no call. */
export type SpanKind = "tool" | "llm" | "run" | "ignored";

/** A dialect of spans is a table: how its kinds are told, and which attributes hold what, the best first. */
export interface SpanDialect {
  readonly name: string;
  /** Null: the span is not of this dialect. */
  readonly kindOf: (span: Span) => SpanKind | null;
  readonly toolName: readonly string[];
  readonly provider: readonly string[];
  readonly model: readonly string[];
  readonly agent: readonly string[];
  readonly run: readonly string[];
  readonly tokensIn: readonly string[];
  readonly tokensOut: readonly string[];
  readonly finish: readonly string[];
}

const serverKind = 2;
const statusError = 2;

export function mapSpan(dialect: SpanDialect, kind: SpanKind, span: Span, origin: Origin): Mapped {
  if (kind === "ignored") return ignored(dialect.name, "container_span");
  if (kind === "run")
    return { ...ignored(dialect.name, "container_span"), ...runOf(dialect, span, origin) };
  if (span.kind === serverKind) return ignored(dialect.name, "server_kind");
  const failure = failureIn(kind, span);
  if (failure === null && isUnknown(kind, span, dialect))
    return ignored(dialect.name, "unknown_outcome");
  return mappedCall(callOf(dialect, kind, failure, span, origin));
}

function callOf(
  dialect: SpanDialect,
  called: "tool" | "llm",
  failure: Failure | null,
  span: Span,
  origin: Origin,
): Call {
  const { attributes, traceId, startMs, endMs } = span;
  const isModel = called === "llm";
  const textIn = (keys: readonly string[]) => (isModel ? textOf(attributes, ...keys) : undefined);
  const amountIn = (keys: readonly string[]) =>
    isModel ? numberOf(attributes, ...keys) : undefined;
  return {
    dialect: dialect.name,
    called,
    eventId: spanEventId(span, origin),
    at: endMs > 0 ? endMs : startMs,
    tenant: textOf(origin.resource, "tenant.id"),
    agent: agentOf(attributes, dialect.agent, origin),
    task: textOf(origin.resource, "experience.task_type"),
    run: textOf(attributes, ...dialect.run) ?? traceId,
    request: traceId,
    latencyMs: startMs > 0 && endMs > startMs ? endMs - startMs : undefined,
    tool: isModel ? undefined : toolOf(dialect, span),
    provider: providerOf(textIn(dialect.provider)),
    model: textIn(dialect.model),
    tokensIn: amountIn(dialect.tokensIn),
    tokensOut: amountIn(dialect.tokensOut),
    silent: isModel ? silenceIn(dialect, attributes) : undefined,
    failure,
  };
}

/**
 * A span goes by its own id, not by that of the tool call: an instrumentation and the one inside it both report the call,
 * with different outcomes, and whichever came first would hide the other. A threshold counts runs, so two spans of one
 * call count once all the same. What a coding agent calls a tool use id is one identity over all doors.
 */
function spanEventId({ attributes, traceId, spanId }: Span, { resource }: Origin): string {
  const isClaudeCode = textOf(resource, "service.name")?.startsWith("claude-code") === true;
  const callId = textOf(attributes, "gen_ai.tool.call.id", "tool_use_id");
  return isClaudeCode && callId !== undefined ? `cc:${callId}` : `otlp:${traceId}:${spanId}`;
}

function agentOf(
  attributes: Attributes,
  keys: readonly string[],
  { resource }: Origin,
): string | undefined {
  const service = textOf(resource, "service.name");
  // What an SDK says where nobody has named the service.
  const named = service?.startsWith("unknown_service") ? undefined : service;
  return textOf(attributes, ...keys) ?? named;
}

function toolOf(dialect: SpanDialect, { attributes, name }: Span): string {
  const ofName = name.replace(/^(?:execute_tool|tools\/call|running tool:?) +/i, "");
  return textOf(attributes, ...dialect.toolName) ?? ofName;
}

/** Why a model gave no answer. */
function silenceIn(dialect: SpanDialect, attributes: Attributes): string | undefined {
  return finishReasons(attributes, dialect.finish).find((one) =>
    /^(?:content[_-]filter|refusal|safety|prohibited_content)$/i.test(one),
  );
}

function finishReasons(attributes: Attributes, keys: readonly string[]): readonly string[] {
  for (const key of keys) {
    const value = attributes.get(key);
    if (typeof value === "string") return [value];
    if (typeof value === "object") return value;
  }
  return [];
}

/** Status, `error.type` or an explicit `success=false`; an exception alone may have been handled. */
function hasFailed({ statusCode, attributes }: Span): boolean {
  return (
    statusCode === statusError ||
    textOf(attributes, "error.type") !== undefined ||
    flagOf(attributes, "success") === false ||
    flagOf(attributes, "gen_ai.tool.call.result", "gcp.vertex.agent.tool_response") === true
  );
}

function failureIn(called: "tool" | "llm", span: Span): Failure | null {
  if (!hasFailed(span)) return null;
  const { attributes, exception, statusMessage } = span;
  return failureOf(called, {
    types: [textOf(attributes, "error.type"), exception?.type, textOf(attributes, "error_type")],
    messages: [exception?.message, statusMessage, textOf(attributes, "error.message", "error")],
    httpStatus: numberOf(
      attributes,
      "http.response.status_code",
      "http.status_code",
      "status_code",
    ),
  });
}

/** A stream whose reader went away ends unset, without usage: whether it worked, nobody knows. */
function isUnknown(
  called: "tool" | "llm",
  { attributes, statusCode }: Span,
  dialect: SpanDialect,
): boolean {
  return (
    called === "llm" &&
    statusCode === 0 &&
    flagOf(attributes, "gen_ai.request.stream") === true &&
    numberOf(attributes, ...dialect.tokensOut) === undefined &&
    finishReasons(attributes, dialect.finish).length === 0
  );
}

/** A root of an agent or workflow is a run: it started, and how it ended. Spans come when they have ended. */
function runOf(dialect: SpanDialect, span: Span, origin: Origin): Pick<Mapped, "run"> {
  if (span.parentSpanId !== "") return {};
  const { attributes, traceId, spanId, startMs, endMs } = span;
  const conversation = textOf(attributes, ...dialect.run);
  const tenant = textOf(origin.resource, "tenant.id");
  const id = `otlp:${traceId}:${spanId}`;
  const base = {
    run_id: boundedId(conversation ?? traceId),
    agent_id: (agentOf(attributes, dialect.agent, origin) ?? "unknown")
      .slice(0, 128)
      .toWellFormed(),
    ...(tenant !== undefined && { tenant_id: boundedId(tenant) }),
    ...(conversation !== undefined && { session_id: boundedId(conversation) }),
  };
  const started: MappedRunEvent = {
    ...{ ...base, event_id: `${id}:started`, type: "run_started" },
    ...{ ts: isoOf(startMs), data: { trace_id: traceId } },
  };
  return { run: [started, { ...base, event_id: id, ts: isoOf(endMs), ...endOf(span) }] };
}

function endOf(span: Span): Pick<MappedRunEvent, "type" | "data"> {
  const { traceId } = span;
  const failure = failureIn("llm", span);
  if (failure === null) return { type: "run_completed", data: { trace_id: traceId } };
  if (failure.cancelled === "control_flow")
    return { type: "run_awaiting_user", data: { trace_id: traceId } };
  const type = failure.cancelled === null ? "run_failed" : "run_cancelled";
  return { type, data: { trace_id: traceId, error: { message: failure.errorClass } } };
}
