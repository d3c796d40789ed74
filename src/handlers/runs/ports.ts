import type { Run, StoredRunEvent } from "./append.ts";
import type { RunEvent } from "./event.ts";

/** A run, of one tenant. */
export interface RunKey {
  readonly tenantId: string;
  readonly runId: string;
}

/** A row of `agent_runs` as it is read. */
export interface RunRow extends RunKey, Run {
  /** Grows with each write of events. */
  readonly version: number;
  /** Epoch ms. */
  readonly heartbeatAt: number;
  readonly updatedAt: number;
}

/** One run's row as it is to be, and the events that make the difference. */
export interface RunChange extends RunKey {
  /** The version that the row was read at; 0: there was none. */
  readonly before: number;
  readonly after: Run;
  readonly stored: readonly StoredRunEvent[];
}

export interface RunStore {
  /** The rows of these events' runs, and which of the events are stored, as of one moment. */
  read(
    events: readonly RunEvent[],
  ): Promise<{ readonly rows: readonly RunRow[]; readonly stored: ReadonlySet<RunEvent> }>;
  /**
   * Writes each run that is still at the version it was read at, together with its events: both or
   * neither. A run that is not at its end gets a fresh heartbeat. Resolves to the changes written.
   */
  write(changes: readonly RunChange[]): Promise<ReadonlySet<RunChange>>;
}

/** Word that a run has new events, from whichever replica stored them. */
export interface RunNews {
  announce(run: RunKey): void;
  /** Calls `hear` at each word, until the function that it returns is called. */
  listen(run: RunKey, hear: () => void): () => void;
}
