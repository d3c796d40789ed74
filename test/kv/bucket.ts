import { Kvm } from "@nats-io/kv";
import { onTestFinished } from "vitest";
import type { DocumentStore } from "../../src/kv/document-store.ts";
import { openDocuments } from "../../src/kv/documents.ts";
import type { Logger } from "../../src/log.ts";
import { type Broker, startBroker } from "../rig/broker.ts";
import { type LogLine, recordingLog } from "../rig/service.ts";

export interface Counts {
  readonly counts: Readonly<Record<string, number>>;
}

export const empty: Counts = { counts: {} };

export interface Bucket {
  readonly broker: Broker;
  /** Stores with caches of their own, as two replicas have them. */
  open(prefix?: string): Promise<DocumentStore<Counts>>;
  /** What another program would write. */
  write(key: string, text: string): Promise<void>;
  remove(key: string): Promise<void>;
  /** Deletes the whole bucket. */
  destroy(): Promise<void>;
  /** How often it was made again. */
  readonly recreated: () => number;
  /** How many compare-and-sets were lost, in all stores. */
  readonly conflicts: () => number;
  readonly log: readonly LogLine[];
  /** A log that is for nobody. */
  readonly silent: Logger;
}

export async function openBucket(): Promise<Bucket> {
  const broker = await startBroker();
  onTestFinished(() => broker.remove());
  const { js, jsm } = broker;
  const name = "documents";
  const create = () => new Kvm(js).create(name);
  const kv = await create();
  let recreated = 0;
  let conflicts = 0;
  const { log, lines } = recordingLog();
  return {
    broker,
    open: (prefix = "p.") =>
      openDocuments<Counts>({
        js,
        bucket: name,
        prefix,
        empty,
        log,
        conflict: () => {
          conflicts++;
        },
        async recreate() {
          recreated++;
          await create();
        },
      }),
    async write(key, text) {
      await kv.put(key, text);
    },
    remove: (key) => kv.delete(key),
    async destroy() {
      await jsm.streams.delete(`KV_${name}`);
    },
    recreated: () => recreated,
    conflicts: () => conflicts,
    log: lines,
    silent: recordingLog().log,
  };
}
