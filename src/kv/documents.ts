import type { JetStreamClient } from "@nats-io/jetstream";
import { type KV, Kvm } from "@nats-io/kv";
import { LRUCache } from "lru-cache";
import type { Logger } from "../log.ts";
import { hasCode, jsCodes, translateNats, translateOwnWrite } from "../nats/errors.ts";
import { bucketStream } from "../subjects.ts";
import type { DocumentStore, Versioned } from "./document-store.ts";

/** The cache holds what was read or written lately; it may be stale, so it may save work but not decide. */
const cacheBytes = 48 * 1024 * 1024;
const cachedDocuments = 50_000;

export interface DocumentsOptions<T> {
  readonly js: JetStreamClient;
  readonly bucket: string;
  /** Goes before every key; so several kinds of document share a bucket. */
  readonly prefix: string;
  readonly empty: T;
  /** Makes the bucket again after it was deleted under us. */
  readonly recreate: () => Promise<void>;
  readonly log: Logger;
  /** Told of each compare-and-set that was lost. */
  readonly conflict?: () => void;
}

/**
 * JSON documents in a KV bucket (ADR-8). Reads go to the leader, never to a follower that may lag
 * behind our own writes. A bucket that has vanished is recreated and the call tried once more.
 */
export async function openDocuments<T extends object>(
  options: DocumentsOptions<T>,
): Promise<DocumentStore<T>> {
  const { js, bucket, prefix, empty, recreate, log } = options;
  const kv: KV = await new Kvm(js).open(bucket, { allow_direct: false });
  const cache = new LRUCache<string, Versioned<T>>({ max: cachedDocuments, maxSize: cacheBytes });
  const remember = (key: string, document: Versioned<T>, bytes: number): Versioned<T> => {
    // 256: what an entry weighs besides its text.
    cache.set(key, document, { size: key.length + bytes + 256 });
    return document;
  };
  const inBucket = <R>(call: () => Promise<R>): Promise<R> =>
    retryWithBucket(call, js, bucket, recreate);

  return {
    cached: (key) => cache.get(key),
    forget: () => cache.clear(),
    async get(key) {
      const entry = await inBucket(() => kv.get(prefix + key));
      if (entry === null || entry.operation !== "PUT") {
        cache.delete(key);
        // A deleted key's revision is what the next write must name.
        return entry === null
          ? null
          : { value: empty, revision: entry.revision, writtenAt: entry.created.getTime() };
      }
      const text = entry.string();
      const value = parse(text, empty) ?? empty;
      if (value === empty)
        log.error({ bucket, key: prefix + key }, "unreadable document is replaced");
      const document = { value, revision: entry.revision, writtenAt: entry.created.getTime() };
      return remember(key, document, text.length);
    },
    async put(key, value, revision) {
      const text = JSON.stringify(value);
      try {
        const written = await inBucket(() => kv.put(prefix + key, text, { previousSeq: revision }));
        return remember(key, { value, revision: written, writtenAt: Date.now() }, text.length);
      } catch (error) {
        cache.delete(key);
        if (!isConflict(error)) throw error;
        options.conflict?.();
        return null;
      }
    },
  };
}

function isConflict(error: unknown): boolean {
  return hasCode(error, ...jsCodes.wrongLastSequence);
}

/** Undefined unless it is JSON with the fields of `empty`: another version may have written another shape. */
function parse<T extends object>(text: string, empty: T): T | undefined {
  try {
    const value: T | null = JSON.parse(text);
    if (typeof value !== "object" || value === null) return undefined;
    const kind = (field: unknown) => (Array.isArray(field) ? "array" : typeof field);
    const fields = Object.entries(empty).map(([name, field]) => [value[name as keyof T], field]);
    return fields.every(([field, wanted]) => field === null || kind(field) === kind(wanted))
      ? value
      : undefined;
  } catch {
    return undefined;
  }
}

/** A missing bucket shows as no responders, as JetStream not enabled or as stream not found: look. */
async function retryWithBucket<R>(
  call: () => Promise<R>,
  js: JetStreamClient,
  bucket: string,
  recreate: () => Promise<void>,
): Promise<R> {
  try {
    return await call();
  } catch (error) {
    if (isConflict(error)) throw error;
    if (!(await isMissing(js, bucket))) throw translateOwnWrite(error);
  }
  await recreate();
  try {
    return await call();
  } catch (error) {
    throw isConflict(error) ? error : translateOwnWrite(error);
  }
}

async function isMissing(js: JetStreamClient, bucket: string): Promise<boolean> {
  try {
    const manager = await js.jetstreamManager(false);
    await manager.streams.info(bucketStream(bucket));
    return false;
  } catch (error) {
    if (hasCode(error, jsCodes.streamNotFound)) return true;
    throw translateNats(error);
  }
}
