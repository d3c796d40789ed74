/** The events of the benchmarks: 418 bytes each, as measured on real agents' events. */

export const eventBytes = 418;

export interface BenchEvent {
  readonly subject: string;
  readonly payload: Uint8Array;
}

export interface Shape {
  readonly id: string;
  readonly ts: number;
  readonly ok: boolean;
  readonly agent: string;
  readonly errorClass?: string;
  /** Default: `tool_call`. */
  readonly task?: string;
  /** Default: a run of its own. */
  readonly run?: string;
  /** Default: 1875, which is not slow. */
  readonly latencyMs?: number;
  readonly silent?: boolean;
}

export function encode(shape: Shape): BenchEvent {
  const { id, ts, ok, agent, errorClass, task = "tool_call", latencyMs = 1875, silent } = shape;
  const event = {
    event_id: id,
    ts: new Date(ts).toISOString(),
    source: "bench",
    agent_id: agent,
    task_type: task,
    // Several failures of one run would count as one.
    run_id: shape.run ?? `run-${id}`,
    tool: { name: "get_reservation_details" },
    llm: {
      ...{ provider: "openai", model: "gpt-4o" },
      ...{ latency_ms: latencyMs, tokens_in: 463, tokens_out: 39 },
    },
    result: ok ? { ok, silent } : { ok, error_class: errorClass },
    request_id: "",
  };
  const missing = eventBytes - Buffer.byteLength(JSON.stringify(event));
  event.request_id = "x".repeat(Math.max(0, missing));
  return {
    subject: `agent.experience.v1.${agent}`,
    payload: Buffer.from(JSON.stringify(event)),
  };
}

/** OK events, of which every tenth is a failure instead, over `signatures` agents. */
export function* mixed(count: number, signatures: number, now: number): Generator<BenchEvent> {
  for (let i = 0; i < count; i++) {
    const ok = i % 10 !== 0;
    const agent = `agent-${((i / 10) % signatures) | 0}`;
    yield encode({ id: `mixed-${i}`, ts: now + (i % 1000), ok, agent, errorClass: "timeout" });
  }
}

/** Nothing but failures, over few signatures. */
export function* storm(count: number, signatures: number, now: number): Generator<BenchEvent> {
  for (let i = 0; i < count; i++) {
    const agent = `agent-${i % signatures}`;
    yield encode({
      id: `storm-${i}`,
      ts: now + (i % 1000),
      ok: false,
      agent,
      errorClass: "timeout",
    });
  }
}

/** Every event is a failure of a new signature. */
export function* allNew(count: number, now: number): Generator<BenchEvent> {
  for (let i = 0; i < count; i++) {
    yield encode({
      id: `new-${i}`,
      ts: now,
      ok: false,
      agent: `agent-${i}`,
      errorClass: "timeout",
    });
  }
}

/** Failures, five of each signature, the second of each when all have had their first: a lesson of each. */
export function* repeated(count: number, now: number): Generator<BenchEvent> {
  const signatures = Math.ceil(count / 5);
  for (let i = 0; i < count; i++) {
    const agent = `known-${i % signatures}`;
    yield encode({
      id: `again-${i}`,
      ts: now + (i % 1000),
      ok: false,
      agent,
      errorClass: "timeout",
    });
  }
}
