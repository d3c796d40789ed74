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

/** An object without the fields that are undefined; undefined where none is left. */
function present<T extends object>(
  fields: T,
): { [K in keyof T]?: Exclude<T[K], undefined> } | undefined {
  const kept = Object.entries(fields).filter(([, value]) => value !== undefined);
  return kept.length === 0
    ? undefined
    : (Object.fromEntries(kept) as { [K in keyof T]?: Exclude<T[K], undefined> });
}

/** Epoch milliseconds as ISO 8601; what lies beyond JavaScript's times is the epoch, which is read as unset. */
export function isoOf(ms: number): string {
  return new Date(ms >= 0 && ms <= 8.64e15 ? Math.floor(ms) : 0).toISOString();
}

export function eventOf(call: Call): MappedEvent {
  const { called, failure } = call;
  const latency_ms = amount(call.latencyMs);
  const tool = name(call.tool) ?? "unnamed";
  const llm = {
    provider: name(call.provider)?.toLowerCase(),
    model: name(call.model),
    latency_ms,
    tokens_in: amount(call.tokensIn),
    tokens_out: amount(call.tokensOut),
  };
  const result = {
    ok: failure === null,
    error_class: failure?.errorClass,
    http_status: failure?.httpStatus,
    cancelled: failure?.cancelled ? true : undefined,
    silent: failure === null && call.silent !== undefined ? true : undefined,
  };
  const parts = {
    event_id: boundedId(call.eventId),
    ts: isoOf(call.at),
    tenant_id: name(call.tenant, longestId),
    agent_id: name(call.agent, longestId) ?? "unknown",
    task_type: name(call.task) ?? `${called}_call`,
    source: call.dialect,
    run_id: call.run === undefined ? undefined : boundedId(call.run),
    request_id: name(call.request),
    result: present(result),
    llm: called === "llm" ? present(llm) : undefined,
    tool: called === "tool" ? present({ name: tool, latency_ms }) : undefined,
    policy: result.silent ? { reason: call.silent } : undefined,
    feedback: failure?.cancelled === "user_rejected" ? { user_signal: "negative" } : undefined,
  };
  return present(parts) as unknown as MappedEvent;
}

/** The event of a call, its reason where it is no evidence, and, of a tool, what its run tells of it. */
export function mappedCall(call: Call): Mapped {
  const event = eventOf(call);
  const reason = call.failure?.cancelled ?? null;
  const run = call.called === "tool" ? toolRunEvent(event) : null;
  return {
    dialect: call.dialect,
    event,
    ...(reason !== null && { reason }),
    ...(run !== null && { run: [run] }),
  };
}

function toolRunEvent(event: MappedEvent): MappedRunEvent | null {
  const { event_id, ts, tenant_id, agent_id, run_id, result, tool } = event;
  if (run_id === undefined || tool === undefined) return null;
  const outcome = result.cancelled ? "cancelled" : result.ok ? "completed" : "failed";
  return {
    ...{ event_id, run_id, agent_id, ts },
    ...(tenant_id !== undefined && { tenant_id }),
    type: `tool_${outcome}`,
    data: { tool: tool.name, ...(result.error_class && { error_class: result.error_class }) },
  };
}
