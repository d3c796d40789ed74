import { type AttemptsLog, noAttempts, openAttemptsLog } from "../kv/attempts.ts";
import { openDocuments } from "../kv/documents.ts";
import { conflictOf } from "../runtime/metrics.ts";
import { attemptsBucket } from "../subjects.ts";
import type { ConcernContext } from "./concern.ts";

/** Opens the bucket in which the consumers of a concern count started attempts. */
export async function openAttempts(
  { opened, metrics, log, whenThere }: ConcernContext,
  durable: string,
): Promise<AttemptsLog> {
  const { js, repair: recreate } = opened;
  const bucket = attemptsBucket(durable);
  const conflict = conflictOf(metrics, bucket);
  const options = { js, recreate, log, bucket, prefix: "attempts.", empty: noAttempts, conflict };
  return openAttemptsLog(await whenThere(() => openDocuments(options)));
}

/** No message has this identity. */
const noMessage = { identity: "" };

export async function probeAttempts(attempts: AttemptsLog): Promise<void> {
  await attempts.read(noMessage);
}
