import { hash } from "node:crypto";
import type { Delivery } from "../bus/delivery.ts";
import { changeDocument } from "../core/documents.ts";
import type { DocumentStore } from "../core/ports.ts";

/** Attempts at one message that began, and how the last one failed. */
export interface Attempts {
  /** Started, and not ended well: failed by the message's own fault, or the process died in it. */
  readonly started: number;
  /** The latest start, until it is taken back. */
  readonly attempt?: string;
  readonly lastError?: string;
}

export const noAttempts: Attempts = { started: 0 };

/**
 * Counts started attempts in KV, where they survive the process. The delivery count cannot serve:
 * an outage or a black-holed link burns deliveries that nobody processed.
 */
export interface AttemptsLog {
  read(delivery: Delivery): Promise<Attempts>;
  /** `attempt` is unique: noted again, because an outage has hidden the answer, it counts once. */
  start(delivery: Delivery, attempt: string): Promise<Attempts>;
  /** Takes that start back, once: the attempt went well, or an outage ended it. */
  end(delivery: Delivery, attempt: string): Promise<void>;
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
    start: (delivery, attempt) =>
      change(delivery, (attempts) =>
        attempts.attempt === attempt
          ? attempts
          : { ...attempts, started: attempts.started + 1, attempt },
      ),
    async end(delivery, ended) {
      await change(delivery, (attempts) => {
        const { attempt, started, ...rest } = attempts;
        return attempt === ended ? { ...rest, started: started - 1 } : attempts;
      });
    },
    async fail(delivery, error) {
      await change(delivery, (attempts) => ({ ...attempts, lastError: error.slice(0, 500) }));
    },
  };
}
