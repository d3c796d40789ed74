import type { JetStreamClient, JetStreamManager } from "@nats-io/jetstream";
import { nats, orNull } from "../../nats/errors.ts";
import { windows } from "../../subjects.ts";
import type { ExperienceEvent } from "../extractor/event.ts";
import { messageDecoder } from "../extractor/ingest.ts";
import { rulesFor } from "../extractor/rules/index.ts";
import { type ReadSoFar, readHistory } from "./history.ts";
import { createLearner, type Learner } from "./learner.ts";
import { type Outcome, outcomeOf } from "./outcome.ts";
import { type HistorySettings, learnerSettings, type Tried } from "./settings.ts";

export interface BacktestFilter {
  readonly tenantId?: string;
  /** Lessons of fleets are left out then: they rest on the events of others, too. */
  readonly agentId?: string;
  /** Event times, epoch ms; `until` is not included. */
  readonly since?: number;
  readonly until?: number;
}

export interface BacktestOptions {
  readonly js: JetStreamClient;
  readonly jsm: JetStreamManager;
  /** As the service has them. */
  readonly settings: HistorySettings;
  /** What is tried instead; empty: nothing else. */
  readonly tried: Tried;
  readonly filter: BacktestFilter;
  readonly signal: AbortSignal;
  /** True ends the reading. */
  readonly progress: (read: ReadSoFar, total: number) => boolean;
  readonly rest: number;
  /** As of `StreamReading`. */
  readonly onLeft: ((error: unknown) => void) | null;
  /** Signatures held in memory at most; more end the reading. */
  readonly mostSignatures: number;
}

export interface Backtest extends Outcome {
  readonly read: ReadSoFar;
  /** Messages in the stream from the beginning of what was to be read. */
  readonly total: number;
}

/** What other settings would have given of the events that the stream holds. Rejects as `readHistory` does. */
export async function backtest(options: BacktestOptions): Promise<Backtest> {
  const { js, jsm, settings, tried, filter, signal, progress, mostSignatures } = options;
  const { stream, subject } = settings;
  const { state } = await nats(() => jsm.streams.info(stream));
  const total = state.last_seq - state.first_seq + 1;
  const hasWide =
    settings.concerns.includes("windows") ||
    (await orNull(() => jsm.consumers.info(stream, windows.durable))) !== null;
  const finds = { fleet: hasWide && filter.agentId === undefined, slow: hasWide };
  const live = learnerFor(settings, finds);
  const isOther = Object.keys(tried).length > 0;
  const other = isOther ? learnerFor({ ...settings, ...tried }, finds) : live;
  const maxFutureMs = settings.maxFutureSeconds * 1_000;
  const rules = [...live.rules, ...(isOther ? other.rules : [])];
  const read = await readHistory({
    ...{ js, jsm, stream, subject, signal, rest: options.rest, onLeft: options.onLeft },
    decode: messageDecoder({ subject, maxFutureMs, rules, okSamplePercent: 0 }),
    from:
      filter.since === undefined
        ? { sequence: 1 }
        : { storedSince: Math.max(0, filter.since - maxFutureMs) },
    upTo: state.last_seq,
    take(event, sequence) {
      if (!isWanted(event, filter)) return;
      live.learner.take(event, sequence);
      if (isOther) other.learner.take(event, sequence);
    },
    progress: (soFar) =>
      progress(soFar, total) ||
      live.learner.size > mostSignatures ||
      other.learner.size > mostSignatures,
  });
  const until = Math.min(filter.until ?? Number.POSITIVE_INFINITY, read.storedAt);
  const observe = ({ learner, windowMs }: Learning) => ({ learner, observed: { windowMs, until } });
  return { ...outcomeOf(observe(live), observe(other)), read, total };
}

type Learning = { readonly learner: Learner; readonly windowMs: number };

function learnerFor(settings: HistorySettings, finds: { fleet: boolean; slow: boolean }) {
  const rules = rulesFor(settings);
  const own = { ...learnerSettings(settings), finds };
  return { rules, learner: createLearner(rules, own), windowMs: own.windowMs };
}

function isWanted(
  { tenantId, agentId, ts }: ExperienceEvent,
  { since = Number.NEGATIVE_INFINITY, until = Number.POSITIVE_INFINITY, ...filter }: BacktestFilter,
): boolean {
  return (
    (filter.tenantId ?? tenantId) === tenantId &&
    (filter.agentId ?? agentId) === agentId &&
    ts >= since &&
    ts < until
  );
}
