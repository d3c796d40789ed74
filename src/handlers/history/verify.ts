import type { JetStreamClient, JetStreamManager } from "@nats-io/jetstream";
import type { Database } from "../../postgres/client.ts";
import { openPositions } from "../../postgres/positions.ts";
import { messageDecoder } from "../extractor/ingest.ts";
import { rulesFor } from "../extractor/rules/index.ts";
import { type Acked, readAcked } from "./acked.ts";
import { type Comparison, createComparison } from "./comparison.ts";
import { type ReadSoFar, readHistory } from "./history.ts";
import { createLearner } from "./learner.ts";
import { type HistorySettings, learnerSettings } from "./settings.ts";
import { openLearnedTables } from "./store.ts";

export interface Verification extends Comparison {
  readonly acked: Acked;
  readonly messages: number;
  readonly invalid: number;
}

/** The rows may take a while to come. */
const rowsDeadlineMs = 30 * 60_000;

/**
 * Compares the tables with what the stream gives. What is acked before must be in them; what they hold must follow from
 * what the stream holds after they were read. Null: aborted.
 */
export async function verify(options: {
  readonly js: JetStreamClient;
  readonly jsm: JetStreamManager;
  readonly database: Database;
  readonly settings: HistorySettings;
  readonly signal: AbortSignal;
  readonly progress: (read: ReadSoFar, acked: Acked) => void;
  readonly rest: number;
  readonly onLeft: (error: unknown) => void;
}): Promise<Verification | null> {
  const { js, jsm, database, settings, signal, progress, rest, onLeft } = options;
  const { stream, subject } = settings;
  const acked = await readAcked(jsm, openPositions(database), settings);
  const maxFutureMs = settings.maxFutureSeconds * 1_000;
  const rules = rulesFor(settings);
  const finds = { fleet: acked.hasWide, slow: acked.hasWide };
  const learner = createLearner(rules, { ...learnerSettings(settings), finds });
  const decode = messageDecoder({ subject, maxFutureMs, rules, okSamplePercent: 0 });
  const sum = { messages: 0, invalid: 0 };
  const readOn = async (sequence: number, upTo: number) => {
    const read = await readHistory({
      ...{ js, jsm, stream, subject, from: { sequence }, upTo, decode, signal, rest, onLeft },
      take: learner.take,
      progress(soFar) {
        progress(soFar, acked);
        return false;
      },
    });
    sum.messages += read.messages;
    sum.invalid += read.invalid;
  };
  await readOn(1, acked.lastSequence);
  const comparison = createComparison(learner, {
    ackedSequence: acked.sequence,
    windowMs: Math.round(settings.windowSeconds * 1_000),
    createdAt: acked.createdAt,
    goneBefore: acked.firstSequence > 1 ? acked.firstStoredAt + maxFutureMs : null,
  });
  let isBegun = false;
  const begin = async () => {
    const { state } = await jsm.streams.info(stream);
    await readOn(acked.lastSequence + 1, state.last_seq);
    comparison.begin();
    isBegun = true;
  };
  if (signal.aborted) return null;
  const tables = openLearnedTables(database, rowsDeadlineMs);
  await tables.each(begin, comparison.take);
  if (!isBegun) await begin();
  const erased = await tables.erased();
  return signal.aborted ? null : { ...comparison.finish(erased), acked, ...sum };
}
