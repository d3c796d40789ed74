/** One agent event as the rules see it: decoded, defaults filled in, times in epoch ms. */
export interface ExperienceEvent {
  readonly eventId: string;
  /** When it happened. */
  readonly ts: number;
  /** When the stream stored it, epoch ms. */
  readonly storedAt: number;
  readonly tenantId: string;
  readonly agentId: string;
  readonly taskType: string;
  /** The piece of work that it belongs to. */
  readonly runId: string | undefined;
  /** The request that it belongs to. */
  readonly requestId: string | undefined;
  /** Which system reports. */
  readonly source: string | undefined;
  /** Where it ran. */
  readonly node: string | undefined;
  readonly ok: boolean;
  /** With `ok: false` only; as the producer wrote it. */
  readonly errorClass: string | undefined;
  readonly httpStatus: number | undefined;
  /** Stopped on purpose: counted, never evidence. */
  readonly cancelled: boolean;
  /** The agent gave no answer. */
  readonly silent: boolean;
  readonly provider: string | undefined;
  readonly model: string | undefined;
  readonly profile: string | undefined;
  readonly latencyMs: number | undefined;
  readonly tool: string | undefined;
  /** The tool's own time. */
  readonly toolLatencyMs: number | undefined;
  /** Why policy decided as it did. */
  readonly reason: string | undefined;
}

/** What tells of an OK event whether it can be passed over. */
export interface OkGlance {
  readonly eventId: string;
  readonly silent: boolean;
  readonly cancelled: boolean;
  readonly latencyMs: number | undefined;
  readonly toolLatencyMs: number | undefined;
}
