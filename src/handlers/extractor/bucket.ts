import { hash } from "node:crypto";
import type { JetStreamClient, JetStreamManager } from "@nats-io/jetstream";
import { LRUCache } from "lru-cache";
import { openDocuments } from "../../kv/documents.ts";
import type { Logger } from "../../log.ts";
import { nats } from "../../nats/errors.ts";
import { bucketStream } from "../../subjects.ts";
import { type Coverage, noCoverage } from "./coverage.ts";
import { type CountBy, type Evidence, noEvidence } from "./evidence.ts";
import type { EvidenceBucket } from "./ports.ts";
import { noSuccesses, type Successes } from "./successes.ts";

/** The one coverage record of a bucket. */
export const coverageKey = "record";

/** Hashing costs more than what is done with the key; the cache only saves that. */
const successesKeys = new LRUCache<string, string>({ max: 10_000 });

/** Where the successes of one tenant, agent and task type are: a hash, for KV keys allow few characters. */
export function successesKey(of: { tenantId: string; agentId: string; taskType: string }): string {
  // Unambiguous, because the decoder refuses NUL in every text.
  const text = `${of.tenantId}\0${of.agentId}\0${of.taskType}`;
  let key = successesKeys.get(text);
  if (key === undefined) {
    key = hash("sha256", text, "hex");
    successesKeys.set(text, key);
  }
  return key;
}

/**
 * The evidence bucket: `evidence.<counted>.<window ms>.<lesson key>`, `successes.<hash>` and
 * `coverage.<counted>.<window ms>.record`. What is counted and the window are part of the key, because
 * another way of counting and aligned windows of another length mean other sightings: after a change of
 * either setting the evidence is read again from the stream. So it was after the release that began to count runs.
 */
export async function openEvidenceBucket(options: {
  readonly js: JetStreamClient;
  readonly bucket: string;
  readonly windowMs: number;
  readonly countBy: CountBy;
  readonly recreate: () => Promise<void>;
  readonly log: Logger;
  readonly conflict?: () => void;
}): Promise<EvidenceBucket> {
  const { windowMs, countBy, ...shared } = options;
  const under = `${countBy}.${windowMs}.`;
  const [evidence, successes, coverage] = await Promise.all([
    openDocuments<Evidence>({ ...shared, prefix: `evidence.${under}`, empty: noEvidence }),
    openDocuments<Successes>({ ...shared, prefix: "successes.", empty: noSuccesses }),
    openDocuments<Coverage>({ ...shared, prefix: `coverage.${under}`, empty: noCoverage }),
  ]);
  return { evidence, successes, coverage };
}

/**
 * When a replica of version 0.3 last wrote evidence (epoch ms), if that has not expired: its documents are at
 * `evidence.<window ms>.<lesson key>`, which has one token less than ours. Null: never.
 */
export async function olderWroteAt(jsm: JetStreamManager, bucket: string): Promise<number | null> {
  const last_by_subj = `$KV.${bucket}.evidence.*.*`;
  const last = await nats(() => jsm.streams.getMessage(bucketStream(bucket), { last_by_subj }));
  return last === null ? null : last.time.getTime();
}
