import type { Positions } from "../../postgres/positions.ts";
import type { Consumption } from "../../runtime/consumer.ts";
import { positionName } from "../../subjects.ts";
import type { MessageDecoder } from "../extractor/ingest.ts";
import type { Rule } from "../extractor/rules/index.ts";
import { marksOf, type Seen, seenIn } from "./outcomes.ts";
import type { OutcomeStore } from "./store.ts";

/**
 * Reads what happens in runs, in the order of the stream, so that its watermark can be trusted: of all that was stored by then
 * nothing is missing. `decode` gives null for what is invalid (`leniently`).
 */
export function outcomeConsumption(
  source: { readonly stream: string; readonly durable: string },
  parts: {
    readonly decode: MessageDecoder;
    readonly rules: readonly Rule[];
    readonly store: Pick<OutcomeStore, "note">;
    readonly positions: Positions;
    readonly horizonMs: number;
  },
): Consumption<Seen> {
  const { rules, store, positions, horizonMs } = parts;
  const { stream, durable } = source;
  return {
    ...source,
    decode(message) {
      const event = parts.decode(message);
      return event === null ? null : seenIn(event, rules);
    },
    async handle(seen) {
      await store.note(marksOf(seen, horizonMs));
    },
    inOrder: {
      advance: ({ sequence, streamCreated }) =>
        positions.advance(positionName(durable, stream, streamCreated), sequence),
    },
  };
}
