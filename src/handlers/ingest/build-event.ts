import { hash } from "node:crypto";
import type { Failure } from "./failure.ts";
import type { Mapped, MappedEvent, MappedRunEvent } from "./mapped.ts";

/** What a dialect has found out of one call of a tool or model. */
export interface Call {
  readonly dialect: string;
  readonly called: "tool" | "llm";
  readonly eventId: string;
  /** Epoch milliseconds. */
  readonly at: number;
  readonly tenant?: string | undefined;
  readonly agent: string | undefined;
  /** Default: `tool_call` or `llm_call`. */
  readonly task?: string | undefined;
  readonly run: string | undefined;
  readonly request?: string | undefined;
  readonly tool?: string | undefined;
  readonly provider?: string | undefined;
  readonly model?: string | undefined;
  readonly latencyMs?: number | undefined;
  readonly tokensIn?: number | undefined;
  readonly tokensOut?: number | undefined;
  /** Null: it succeeded. */
  readonly failure: Failure | null;
  /** Why the model gave no answer, where it gave none. */
  readonly silent?: string | undefined;
}

const longestId = 128;

/** An identity of at most 128 characters: what is longer goes by its hash. */
export function boundedId(id: string): string {
  const clean = cleaned(id);
  if (clean.length <= longestId) return clean;
  return `${clean.slice(0, 40).toWellFormed()}:${hash("sha256", clean, "hex")}`;
}

/** What PostgreSQL can hold. */
export function cleaned(text: string): string {
  return text.replaceAll("\u0000", "").toWellFormed();
}

function name(text: string | undefined, longest = 256): string | undefined {
  if (text === undefined) return undefined;
  const clean = cleaned(text).trim().slice(0, longest).toWellFormed();
  return clean === "" ? undefined : clean;
}

const amount = (value: number | undefined) =>
  value !== undefined && Number.isFinite(value) && value >= 0 ? value : undefined;

/** Epoch milliseconds as ISO 8601; what lies beyond JavaScript's times is the epoch, which is read as unset. */
export function isoOf(ms: number): string {
  return new Date(ms >= 0 && ms <= 8.64e15 ? Math.floor(ms) : 0).toISOString();
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };

/** Fields that have no value are left out. One object that is filled: spreading many is most of what an event costs. */
export function eventOf(call: Call): MappedEvent {
  const { called, failure } = call;
  const event: Writable<MappedEvent> = {
    event_id: boundedId(call.eventId),
    ts: isoOf(call.at),
    agent_id: name(call.agent, longestId) ?? "unknown",
    task_type: name(call.task) ?? `${called}_call`,
    source: call.dialect,
    result: failure === null ? { ok: true } : failed(failure),
  };
  const tenant = name(call.tenant, longestId);
  const request = name(call.request);
  if (tenant !== undefined) event.tenant_id = tenant;
  if (call.run !== undefined) event.run_id = boundedId(call.run);
  if (request !== undefined) event.request_id = request;
  if (called === "tool") event.tool = toolIn(call);
  else fillModel(event, call);
  if (failure === null && call.silent !== undefined) {
    event.result = { ok: true, silent: true };
    event.policy = { reason: call.silent };
  }
  if (failure?.cancelled === "user_rejected") event.feedback = { user_signal: "negative" };
  return event;
}

function failed({ errorClass, httpStatus, cancelled }: Failure): MappedEvent["result"] {
  const result: Writable<MappedEvent["result"]> = { ok: false, error_class: errorClass };
  if (httpStatus !== undefined) result.http_status = httpStatus;
  if (cancelled) result.cancelled = true;
  return result;
}

function toolIn(call: Call): NonNullable<MappedEvent["tool"]> {
  const tool = name(call.tool) ?? "unnamed";
  const latency_ms = amount(call.latencyMs);
  return latency_ms === undefined ? { name: tool } : { name: tool, latency_ms };
}

function fillModel(event: Writable<MappedEvent>, call: Call): void {
  const llm: Writable<NonNullable<MappedEvent["llm"]>> = {};
  const [provider, model] = [name(call.provider)?.toLowerCase(), name(call.model)];
  const latency_ms = amount(call.latencyMs);
  const [tokens_in, tokens_out] = [amount(call.tokensIn), amount(call.tokensOut)];
  if (provider !== undefined) llm.provider = provider;
  if (model !== undefined) llm.model = model;
  if (latency_ms !== undefined) llm.latency_ms = latency_ms;
  if (tokens_in !== undefined) llm.tokens_in = tokens_in;
  if (tokens_out !== undefined) llm.tokens_out = tokens_out;
  if (Object.keys(llm).length > 0) event.llm = llm;
}

/** The event of a call, its reason where it is no evidence, and, of a tool, what its run tells of it. */
export function mappedCall(call: Call): Mapped {
  const event = eventOf(call);
  const mapped: Writable<Mapped> = { dialect: call.dialect, event };
  const reason = call.failure?.cancelled;
  const run = toolRunEvent(event);
  if (reason) mapped.reason = reason;
  if (run !== null) mapped.run = [run];
  return mapped;
}

/** Null where it is no call of a tool, or of no run. */
function toolRunEvent(event: MappedEvent): MappedRunEvent | null {
  const { event_id, ts, tenant_id, agent_id, run_id, result, tool } = event;
  if (run_id === undefined || tool === undefined) return null;
  const outcome = result.cancelled ? "cancelled" : result.ok ? "completed" : "failed";
  const { error_class } = result;
  const told: Writable<MappedRunEvent> = {
    event_id,
    run_id,
    agent_id,
    ts,
    type: `tool_${outcome}`,
    data: error_class ? { tool: tool.name, error_class } : { tool: tool.name },
  };
  if (tenant_id !== undefined) told.tenant_id = tenant_id;
  return told;
}
