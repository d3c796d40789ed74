import { type AttemptsLog, noAttempts, openAttemptsLog } from "../kv/attempts.ts";
import { openDocuments } from "../kv/documents.ts";
import type { Logger } from "../log.ts";
import type { ServedDurable } from "../runtime/consumers.ts";
import type { Dependencies } from "../runtime/dependencies.ts";
import type { Upkeep } from "../runtime/maintenance.ts";
import { conflictOf, type Metrics } from "../runtime/metrics.ts";
import type { Tracing } from "../runtime/tracing.ts";
import type { Settings } from "../settings/index.ts";
import { attemptsBucket } from "../subjects.ts";
import type { Concern } from "./concern.ts";
import type { DeadLetterArchive } from "./deadletters/archive.ts";
import type { RunStreams } from "./runs/follow.ts";

/** What every concern is opened with. */
export interface Base {
  readonly opened: Dependencies;
  readonly settings: Settings;
  readonly metrics: Metrics;
  readonly tracing: Tracing | null;
  readonly log: Logger;
  readonly onFatal: (error: unknown) => void;
  readonly archive: DeadLetterArchive;
  /** Of this replica. */
  readonly instance: string;
  /** Attempts again while the broker is away: it may go again while we start. */
  readonly whenThere: <T>(attempt: () => Promise<T>) => Promise<T>;
}

/** What `EXPERIENCE_CONCERNS` switches on and off: endpoints, with all that has to run for them. */
export interface Hosted {
  readonly concerns: readonly Concern[];
  readonly durables: readonly ServedDurable[];
  readonly upkeeps: readonly Upkeep[];
  /** Rejects while its buckets cannot be read; makes a vanished one anew, so that an idle replica heals. */
  probeKv(): Promise<void>;
  readonly runStreams?: RunStreams;
  stop?(): Promise<void>;
}

export async function attemptsOf(
  { opened, metrics, log, whenThere }: Base,
  name: string,
): Promise<AttemptsLog> {
  const { js, repair: recreate } = opened;
  const bucket = attemptsBucket(name);
  const options = { js, recreate, log, bucket, prefix: "attempts.", empty: noAttempts };
  const conflict = conflictOf(metrics, bucket);
  return openAttemptsLog(await whenThere(() => openDocuments({ ...options, conflict })));
}

/** No message has this identity. */
const nobody = { identity: "" };

export async function probeAttempts(attempts: AttemptsLog): Promise<void> {
  await attempts.read(nobody);
}
