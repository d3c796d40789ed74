import { setTimeout as wait } from "node:timers/promises";
import postgres from "postgres";
import { signals } from "../src/subjects.ts";
import {
  type AgainstBoth,
  againstBoth,
  compareWithCeiling,
  removeStream,
} from "./against-ceiling.ts";
import { databaseLimit } from "./database-limit.ts";
import type { Part } from "./part.ts";
import {
  fillStream,
  median,
  type Rig,
  startContender,
  stopContender,
  until,
  untilPulled,
} from "./rig.ts";
import { signalOf, signalsOf } from "./row-events.ts";
import { freePort } from "./service-metrics.ts";

export interface FeatureFigures extends AgainstBoth {
  readonly messages: number;
  readonly users: number;
  /** From the message stored in the stream to its user's row updated, ms. */
  readonly delay: { readonly perSecond: number; p50: number; p99: number; max: number };
}

const { stream } = signals;
const steadyUsers = "steady-";
const tickMs = 10;

/** The ceiling and the service in turn over the same signals; then the delay at a steady rate. */
export async function measureFeatures(
  rig: Rig,
  options: {
    readonly messages: number;
    readonly users: number;
    readonly rounds: number;
    readonly perSecond: number;
    readonly seconds: number;
    readonly log: (line: string) => void;
  },
): Promise<FeatureFigures> {
  const { messages, users, rounds, perSecond, seconds, log } = options;
  const sql = postgres(rig.databaseUrl, { max: 1 });
  try {
    await removeStream(rig, stream);
    await fillStream(rig, stream, signalsOf(messages, users));
    const against = await compareWithCeiling(rig, {
      ...{ what: "features", stream, messages, rounds, log },
      async start(round) {
        const prefix = `bench-${round}`;
        const port = await freePort();
        const child = startFeatures(rig, prefix, port);
        return { child, durable: signals.durable(prefix), port };
      },
      database: () => databaseLimit(rig, { part: "features", messages, keys: users }),
      finish: () => check(sql, messages),
    });
    const delay = await steadyDelay(rig, perSecond, seconds, sql);
    return { messages, users, ...against, delay: { perSecond, ...delay } };
  } finally {
    await sql.end();
  }
}

export function featurePromises({ rates, ofDatabase, delay }: FeatureFigures) {
  return [
    {
      ...{ promise: "features >= 0.6 x PostgreSQL's own limit", limit: 0.6 },
      measured: median(ofDatabase),
    },
    { promise: "features >= 8,000 messages/s", limit: 8_000, measured: median(rates) },
    { promise: "features p99 delay <= 100 ms", limit: 100, measured: delay.p99, most: true },
  ];
}

/** Every event is applied, and will be again in the next round. */
async function check(sql: postgres.Sql, messages: number): Promise<void> {
  const [found] = await sql<{ applied: number }[]>`
    SELECT coalesce(sum(version), 0)::int AS applied FROM user_features`;
  if (found?.applied !== messages) throw new Error(`${found?.applied} of ${messages} applied`);
  await sql`TRUNCATE user_features, feature_events`;
}

function startFeatures({ natsUrl, databaseUrl }: Rig, prefix: string, port = 0) {
  return startContender("../dist/main.js", {
    NATS_URL: natsUrl,
    LEARNER_DATABASE_URL: databaseUrl,
    NATS_DURABLE_PREFIX: prefix,
    HTTP_PORT: String(port),
  });
}

/** One message for each user, so that each row tells when it was updated. */
async function steadyDelay(rig: Rig, perSecond: number, seconds: number, sql: postgres.Sql) {
  await removeStream(rig, stream);
  await fillStream(rig, stream, []);
  const child = startFeatures(rig, "bench-steady");
  const durable = signals.durable("bench-steady");
  await untilPulled(rig, stream);
  const total = perSecond * seconds;
  const startedAt = performance.now();
  for (let sent = 0; sent < total; ) {
    for (let i = 0; i < (perSecond * tickMs) / 1_000 && sent < total; i++, sent++) {
      const { subject, payload } = signalOf(sent, `${steadyUsers}${sent}`);
      rig.nc.publish(`signals.${subject}`, payload);
    }
    await wait(Math.max(0, startedAt + (sent / perSecond) * 1_000 - performance.now()));
  }
  await rig.nc.flush();
  await until(async () => {
    const info = await rig.jsm.consumers.info(stream, durable);
    return info.ack_floor.stream_seq === total;
  });
  await stopContender(child);
  const rows = await sql<{ user_id: string; updated: number; at: number }[]>`
    SELECT user_id, extract(epoch FROM updated_at)::float8 * 1000 AS updated,
      extract(epoch FROM last_event_at)::float8 * 1000 AS at
    FROM user_features WHERE user_id LIKE ${`${steadyUsers}%`}`;
  // Without a `ts` of its own, an event's time is when the stream stored it.
  const delays = rows.map(({ updated, at }) => Math.max(0, updated - at)).sort((a, b) => a - b);
  const share = (of: number) => delays[Math.ceil(of * delays.length) - 1] ?? Number.NaN;
  return { p50: share(0.5), p99: share(0.99), max: share(1) };
}

export const featuresPart: Part<FeatureFigures> = {
  name: "features",
  measure({ rig, quick, rounds, log }) {
    const [messages, users, seconds] = quick ? [2_000, 500, 2] : [100_000, 10_000, 20];
    return measureFeatures(rig, { messages, users, rounds, perSecond: 500, seconds, log });
  },
  promises: featurePromises,
  report(figures) {
    const { messages, users, delay: of } = figures;
    const ms = [of.p50, of.p99, of.max].map((value) => value.toFixed(0));
    return [
      `Features, ${messages} messages of ${users} users: ${againstBoth(figures)}`,
      `Delay at ${of.perSecond} messages/s: p50 ${ms[0]} ms, p99 ${ms[1]} ms, max ${ms[2]} ms`,
    ];
  },
};
