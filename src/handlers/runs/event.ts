/** One event of a run, decoded. */
export interface RunEvent {
  readonly eventId: string;
  readonly tenantId: string;
  readonly runId: string;
  readonly agentId: string | null;
  readonly sessionId: string | null;
  /** The producer's own; null: to be assigned when it is stored. */
  readonly cursor: number | null;
  readonly type: string;
  readonly data: Readonly<Record<string, unknown>>;
  /** What a terminal event says about how the run ended, if it does. */
  readonly terminalStatus: string | null;
  /** Event time, epoch ms. */
  readonly ts: number;
  /** When the stream stored it, epoch ms. */
  readonly storedAt: number;
}
