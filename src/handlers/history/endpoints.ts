import type { JetStreamClient, JetStreamManager } from "@nats-io/jetstream";
import { nats } from "../../nats/errors.ts";
import type { Positions } from "../../postgres/positions.ts";
import { timeFrom } from "../../schema/request.ts";
import type { ConcernPart } from "../concern.ts";
import { endpoint } from "../endpoint.ts";
import { readAcked } from "./acked.ts";
import { type Backtest, backtest } from "./backtest.ts";
import type { HistorySettings, Tried } from "./settings.ts";
import type { LearnedTables } from "./store.ts";
import {
  type BacktestRequest,
  backtestReplySchema,
  backtestRequestSchema,
  rootReplySchema,
  rootRequestSchema,
  usual,
} from "./wire.ts";

export interface HistoryEndpoints {
  readonly js: JetStreamClient;
  readonly jsm: JetStreamManager;
  readonly tables: LearnedTables;
  readonly positions: Pick<Positions, "read">;
  readonly settings: HistorySettings;
  /** Aborts when this replica stops. */
  readonly signal: AbortSignal;
}

/** Some 50 MB, twice where two sets of settings are compared. */
const mostSignatures = 25_000;
/** After each batch this replica does other things for as long as the batch took. */
const rest = 1;
/** So many agents are told; their number is not limited. */
const mostAgents = 1_000;

export function historyEndpoints(options: HistoryEndpoints): ConcernPart["endpoints"] {
  const { jsm, tables, positions, settings } = options;
  return [
    endpoint({
      name: "lessons-root",
      request: rootRequestSchema,
      reply: rootReplySchema,
      mostInWork: 2,
      async handle({ tenant_id }) {
        // Before the tables: what is acked then is in them.
        const acked = await nats(() => readAcked(jsm, positions, settings));
        const root = await tables.root(tenant_id);
        const { sequence, firstSequence, lastSequence } = acked;
        return {
          ...root,
          ...{ acked_sequence: sequence, first_sequence: firstSequence },
          last_sequence: lastSequence,
        };
      },
    }),
    endpoint({
      name: "history-backtest",
      request: backtestRequestSchema,
      reply: backtestReplySchema,
      mostInWork: 1,
      handle: async (request) => replyOf(await backtested(request, options), request),
    }),
  ];
}

async function backtested(
  request: BacktestRequest,
  { js, jsm, settings, signal }: HistoryEndpoints,
): Promise<Backtest> {
  const { limit_messages = usual.messages, limit_seconds = usual.seconds } = request;
  const { tenant_id: tenantId, agent_id: agentId } = request;
  const since = timeFrom("since", request.since);
  const until = timeFrom("until", request.until);
  const over = AbortSignal.timeout(limit_seconds * 1_000);
  return await backtest({
    ...{ js, jsm, settings, rest, mostSignatures, onLeft: null },
    signal: AbortSignal.any([signal, over]),
    tried: triedOf(request),
    filter: {
      ...(tenantId !== undefined && { tenantId }),
      ...(agentId !== undefined && { agentId }),
      ...(since !== undefined && { since }),
      ...(until !== undefined && { until }),
    },
    progress: ({ messages }) => messages >= limit_messages,
  });
}

function triedOf(request: BacktestRequest): Tried {
  const tried = {
    windowSeconds: request.window_seconds,
    errorThreshold: request.error_threshold,
    silentThreshold: request.silent_threshold,
    latencyThreshold: request.latency_threshold,
    latencySpikeMs: request.latency_spike_ms,
    toolLatencySpikeMs: request.tool_latency_spike_ms,
    countBy: request.count_by,
    fleetAgents: request.fleet_agents,
    slowRuns: request.slow_runs,
    slowWindowDays: request.slow_window_days,
  };
  return Object.fromEntries(Object.entries(tried).filter(([, value]) => value !== undefined));
}

function replyOf(
  { read, total: _, ...outcome }: Backtest,
  { limit = usual.lessons }: BacktestRequest,
) {
  return {
    ...outcome,
    agents: outcome.agents.slice(0, mostAgents),
    lessons: outcome.lessons.slice(0, limit),
    messages: read.messages,
    read_to: read.messages === 0 ? null : new Date(read.storedAt).toISOString(),
    partial: !read.isComplete,
  };
}
