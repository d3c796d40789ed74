import type { Reason } from "./reasons.ts";

/** An experience event in the wire form of `agent.experience.v1`. */
export interface MappedEvent {
  readonly event_id: string;
  readonly ts: string;
  /** As the resource says; overridden where the sender is known better. */
  readonly tenant_id?: string;
  readonly agent_id: string;
  readonly task_type: string;
  readonly source: string;
  readonly run_id?: string;
  readonly request_id?: string;
  readonly result: {
    readonly ok: boolean;
    readonly error_class?: string;
    readonly http_status?: number;
    readonly cancelled?: true;
    readonly silent?: true;
  };
  readonly llm?: {
    readonly provider?: string;
    readonly model?: string;
    readonly latency_ms?: number;
    readonly tokens_in?: number;
    readonly tokens_out?: number;
  };
  readonly tool?: { readonly name: string; readonly latency_ms?: number };
  readonly policy?: { readonly reason: string };
  readonly feedback?: { readonly user_signal: "negative" };
}

/** An event of a run in the wire form of `agent.run.v1`. */
export interface MappedRunEvent {
  readonly event_id: string;
  readonly run_id: string;
  readonly tenant_id?: string;
  readonly agent_id: string;
  readonly session_id?: string;
  readonly type: string;
  readonly ts: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** What one record means. Both an event and a reason: it is counted, but is no evidence. */
export interface Mapped {
  /** Which dialect understood it; `none` where none did. */
  readonly dialect: string;
  readonly event?: MappedEvent;
  readonly reason?: Reason;
  /** In their order. */
  readonly run?: readonly MappedRunEvent[];
}

export function ignored(dialect: string, reason: Reason): Mapped {
  return { dialect, reason };
}
