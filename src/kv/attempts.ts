import { hash } from "node:crypto";
import type { Delivery } from "../bus/delivery.ts";
import { changeDocument } from "../core/documents.ts";
import type { DocumentStore } from "../core/ports.ts";

/** Attempts at one message that began, and how the last one failed. */
export interface Attempts {
  /** Started, and not ended well: failed by the message's own fault, or the process died in it. */
  readonly started: number;
  readonly lastError?: string;
}

export const noAttempts: Attempts = { started: 0 };

/**
 * Counts started attempts in KV, where they survive the process. The delivery count cannot serve:
 * an outage or a black-holed link burns deliveries that nobody processed.
 */
export interface AttemptsLog {
  read(delivery: Delivery): Promise<Attempts>;
  start(delivery: Delivery): Promise<Attempts>;
  /** Takes a start back: the attempt went well, or an outage ended it. */
  end(delivery: Delivery): Promise<void>;
  fail(delivery: Delivery, error: string): Promise<void>;
}

export function openAttemptsLog(documents: DocumentStore<Attempts>): AttemptsLog {
  const keyOf = (delivery: Delivery) => hash("sha256", delivery.identity, "hex");
  const change = async (delivery: Delivery, apply: (attempts: Attempts) => Attempts) => {
    const key = keyOf(delivery);
    const { document } = await changeDocument(documents, key, undefined, noAttempts, apply);
    return document.value;
  };
  return {
    read: async (delivery) => (await documents.get(keyOf(delivery)))?.value ?? noAttempts,
    start: (delivery) =>
      change(delivery, (attempts) => ({ ...attempts, started: attempts.started + 1 })),
    async end(delivery) {
      await change(delivery, (attempts) => ({ started: Math.max(0, attempts.started - 1) }));
    },
    async fail(delivery, error) {
      await change(delivery, (attempts) => ({ ...attempts, lastError: error.slice(0, 500) }));
    },
  };
}
