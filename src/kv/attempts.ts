import { hash } from "node:crypto";
import type { StoredMessage } from "../runtime/delivery.ts";
import { changeDocument } from "./change.ts";
import type { DocumentStore } from "./document-store.ts";

/** Attempts at one message that began, and how the last one failed. */
export interface Attempts {
  /** Started, and not ended well: failed by the message's own fault, or the process died in it. */
  readonly started: number;
  /** The starts that have not been taken back, as far as they can still be. */
  readonly open?: readonly string[];
  readonly lastError?: string;
}

export const noAttempts: Attempts = { started: 0 };

/** More replicas than this will not be at one message at once; the dead ones among them add up. */
const mostOpen = 64;

/** Of a message, or of several that are read together. */
export type Identified = Pick<StoredMessage, "identity">;

/**
 * Counts started attempts in KV, where they survive the process. The delivery count cannot serve:
 * an outage or a black-holed link uses up deliveries that were never processed.
 */
export interface AttemptsLog {
  read(of: Identified): Promise<Attempts>;
  /** `attempt` is unique: noted again, because an outage has hidden the answer, it counts once. */
  start(of: Identified, attempt: string): Promise<Attempts>;
  /** Takes that start back, once: the attempt went well, or an outage ended it. */
  end(of: Identified, attempt: string): Promise<void>;
  fail(of: Identified, error: string): Promise<void>;
}

export function openAttemptsLog(documents: DocumentStore<Attempts>): AttemptsLog {
  const keyOf = (of: Identified) => hash("sha256", of.identity, "hex");
  const change = async (of: Identified, apply: (attempts: Attempts) => Attempts) => {
    const key = keyOf(of);
    const { document } = await changeDocument(documents, key, undefined, noAttempts, apply);
    return document.value;
  };
  return {
    read: async (of) => (await documents.get(keyOf(of)))?.value ?? noAttempts,
    start: (of, attempt) =>
      change(of, (attempts) => {
        const { started, open = [] } = attempts;
        if (open.includes(attempt)) return attempts;
        return { ...attempts, started: started + 1, open: [...open, attempt].slice(-mostOpen) };
      }),
    async end(of, attempt) {
      await change(of, (attempts) => {
        const { started, open = [] } = attempts;
        if (!open.includes(attempt)) return attempts;
        return { ...attempts, started: started - 1, open: open.filter((one) => one !== attempt) };
      });
    },
    async fail(of, error) {
      await change(of, (attempts) => ({ ...attempts, lastError: error.slice(0, 500) }));
    },
  };
}
