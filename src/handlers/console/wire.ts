import { nullable, strict, tenantSchema, timeFrom } from "../../schema/request.ts";
import { type Static, Type } from "../../schema/typebox.ts";
import type { Tally } from "./fold.ts";
import { latencyBounds, latencyQuantile } from "./latency.ts";
import type { AgentCounts, CountPoint } from "./reader.ts";
import { day, type Range } from "./steps.ts";

/** Wire shapes of the `counts-…` endpoints. */

const iso = Type.String({ description: "ISO 8601" });
const time = (description: string) =>
  Type.Optional(
    Type.Union([Type.String({ maxLength: 128 }), Type.Number()], {
      description: `ISO 8601 or epoch time; default: ${description}`,
    }),
  );

const range = { since: time("a day before `until`"), until: time("now") };

export const seriesSchema = Type.Object({
  tenant_id: tenantSchema,
  agent_id: Type.Optional(
    Type.String({ minLength: 1, maxLength: 128, description: "default: all" }),
  ),
  task_type: Type.Optional(Type.String({ maxLength: 256, description: "default: all" })),
  ...range,
  step: Type.Optional(
    Type.Integer({
      minimum: 60,
      maximum: 366 * day,
      description: "seconds, a multiple of 60; default: what gives at most 120 points",
    }),
  ),
});

export const agentsSchema = Type.Object({
  tenant_id: tenantSchema,
  ...range,
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000, description: "default: 200" })),
});

const tally = {
  ok: Type.Integer(),
  error: Type.Integer({ description: "failed" }),
  silent: Type.Integer({ description: "worked, and gave no answer" }),
  cancelled: Type.Integer({ description: "stopped on purpose; counted nowhere else" }),
  slow: Type.Integer({ description: "of the others, those that were a spike of latency" }),
  failure_rate: nullable(
    Type.Number({ description: "error ÷ (ok + error + silent); null: nothing to divide by" }),
  ),
  p50_ms: nullable(
    Type.Number({
      description: `estimate from classes that end at ${latencyBounds.join(", ")} ms; null: nothing was timed`,
    }),
  ),
  p95_ms: nullable(Type.Number({ description: "as `p50_ms`" })),
};

const answered = {
  tenant_id: Type.String(),
  since: Type.String({ description: "ISO 8601, moved to where a step starts" }),
  until: Type.String({ description: "ISO 8601, excluded; moved to where a step ends" }),
  step_seconds: Type.Integer(),
};

export const seriesReplySchema = Type.Object({
  ...answered,
  points: Type.Array(
    Type.Object({ at: Type.String({ description: "ISO 8601, its start" }), ...tally }),
    {
      description: "every step, the oldest first",
    },
  ),
  total: Type.Object(tally),
});

export const agentsReplySchema = Type.Object({
  ...answered,
  agents: Type.Array(
    Type.Object({
      agent_id: Type.String(),
      ...tally,
      trend: Type.Array(nullable(Type.Number()), {
        description: "`failure_rate` in each of equal parts of that time, the oldest first",
      }),
      last_at: iso,
    }),
    {
      description: "those that failed most often first",
    },
  ),
  agents_total: Type.Integer({ description: "ever counted" }),
  first_at: nullable(Type.String({ description: "ISO 8601: the earliest event of all" })),
});

export const rebuildSchema = Type.Object({}, strict);
export const rebuildReplySchema = Type.Object({
  messages: Type.Integer({ description: "in the stream, to be counted again" }),
});

export type SeriesReply = Static<typeof seriesReplySchema>;
export type AgentsReply = Static<typeof agentsReplySchema>;
export type RebuildReply = Static<typeof rebuildReplySchema>;

const isoOf = (ms: number) => new Date(ms).toISOString();

/** From when to when, epoch ms. Throws `bad_request` where a time is none. */
export function timesFrom(
  { since, until }: { since?: string | number; until?: string | number },
  now: number,
): { readonly since: number; readonly until: number } {
  const end = timeFrom("until", until) ?? now;
  return { since: timeFrom("since", since) ?? end - day * 1_000, until: end };
}

const nothing: Tally = { ok: 0, error: 0, silent: 0, cancelled: 0, slow: 0, latency: [] };

export function wireTally({ ok, error, silent, cancelled, slow, latency }: Tally) {
  const done = ok + error + silent;
  return {
    ...{ ok, error, silent, cancelled, slow },
    failure_rate: done === 0 ? null : error / done,
    p50_ms: latencyQuantile(latency, 0.5),
    p95_ms: latencyQuantile(latency, 0.95),
  };
}

export function sumOf(tallies: Iterable<Tally>): Tally {
  let sum = nothing;
  for (const one of tallies) {
    sum = {
      ok: sum.ok + one.ok,
      error: sum.error + one.error,
      silent: sum.silent + one.silent,
      cancelled: sum.cancelled + one.cancelled,
      slow: sum.slow + one.slow,
      latency: one.latency.map((count, i) => count + (sum.latency[i] ?? 0)),
    };
  }
  return sum;
}

/** Steps without any message are there, too: they say that nothing was counted. */
export function wireSeries(
  tenantId: string,
  { since, until, stepSeconds }: Range,
  found: readonly CountPoint[],
): SeriesReply {
  const known = new Map(found.map((point) => [point.startsAt, point]));
  const stepMs = stepSeconds * 1_000;
  const starts = Array.from({ length: (until - since) / stepMs }, (_, i) => since + i * stepMs);
  return {
    ...{ tenant_id: tenantId, since: isoOf(since), until: isoOf(until), step_seconds: stepSeconds },
    points: starts.map((at) => ({ at: isoOf(at), ...wireTally(known.get(at) ?? nothing) })),
    total: wireTally(sumOf(found)),
  };
}

/** How fine the trend of an agent is; a part has at least one step. */
const mostTrendParts = 24;

export function trendParts({ since, until, stepSeconds }: Range): number {
  return Math.min(mostTrendParts, (until - since) / (stepSeconds * 1_000));
}

export function wireAgents(
  tenantId: string,
  range: Range,
  agents: readonly AgentCounts[],
  known: { readonly agents: number; readonly firstAt: number | null },
): AgentsReply {
  const { since, until, stepSeconds } = range;
  const parts = trendParts(range);
  return {
    ...{ tenant_id: tenantId, since: isoOf(since), until: isoOf(until), step_seconds: stepSeconds },
    agents: agents.map((one) => ({
      agent_id: one.agentId,
      ...wireTally(one),
      trend: trendOf(one, parts),
      last_at: isoOf(one.lastAt),
    })),
    agents_total: known.agents,
    first_at: known.firstAt === null ? null : isoOf(known.firstAt),
  };
}

/** Empty where nothing was counted. */
function trendOf({ parts, failed, done }: AgentCounts, count: number): (number | null)[] {
  if (parts.length === 0) return [];
  const sums = Array.from({ length: count }, () => ({ failed: 0, done: 0 }));
  for (const [i, part] of parts.entries()) {
    const sum = sums[part];
    if (sum === undefined) continue;
    sum.failed += failed[i] ?? 0;
    sum.done += done[i] ?? 0;
  }
  return sums.map((sum) => (sum.done === 0 ? null : sum.failed / sum.done));
}
