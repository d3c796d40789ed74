import { noSuccesses } from "../../../src/handlers/extractor/successes.ts";
import type { DocumentStore } from "../../../src/kv/document-store.ts";
import type { Pipeline } from "./world.ts";

/** The pipelines that look right and lose lessons: what the property test must be able to find. */

export const ackBeforeEffects: Pipeline = { ack: "before" };

/** A mark in the shared bucket for each message, set before the work; what has one is skipped. */
export const markBeforeWork: Pipeline = {
  handle:
    (inner, { bucket }) =>
    async (events) => {
      const marks = await Promise.all(
        events.map((event) =>
          bucket.successes.put(`seen ${JSON.stringify(event)}`, noSuccesses, 0),
        ),
      );
      return inner(events.filter((_, i) => marks[i] !== null));
    },
};

/** Whoever writes last wins, whatever was written in between. */
export const lastWriteWins: Pipeline = {
  ports: (ports) => {
    const { evidence, successes, coverage } = ports.bucket;
    const bucket = {
      evidence: ignoringRevisions(evidence),
      successes: ignoringRevisions(successes),
      coverage: ignoringRevisions(coverage),
    };
    return { ...ports, bucket };
  },
};

function ignoringRevisions<T>(store: DocumentStore<T>): DocumentStore<T> {
  return {
    ...store,
    async put(key, value) {
      for (;;) {
        const current = await store.get(key);
        const written = await store.put(key, value, current?.revision ?? 0);
        if (written) return written;
      }
    },
  };
}

/** Takes whatever is in the bucket for all there ever was. */
export const neverReadAgain: Pipeline = {
  ports: (ports) => ({ ...ports, history: { replay: async () => Number.NEGATIVE_INFINITY } }),
};

/** Takes an event that was handed on for handled before its owner has answered. */
export const ackBeforeOwner: Pipeline = {
  ask: (inner) => async (member, body) => {
    inner(member, body).catch(() => undefined);
    return Buffer.from('{"ok":true,"news":[]}');
  },
};
