import { setTimeout as wait } from "node:timers/promises";
import postgres from "postgres";
import { signals } from "../src/subjects.ts";
import type { BenchEvent } from "./events.ts";
import {
  ackRate,
  fillStream,
  median,
  type Rig,
  startContender,
  stopContender,
  until,
} from "./rig.ts";

export interface FeatureFigures {
  readonly messages: number;
  readonly users: number;
  /** Messages a second, one per round. */
  readonly ceiling: number[];
  readonly rates: number[];
  readonly ofCeiling: number[];
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
    await emptyStream(rig);
    await fillStream(rig, stream, signalsOf(messages, users));
    const figures = { ceiling: [] as number[], rates: [] as number[], ofCeiling: [] as number[] };
    for (let round = 0; round < rounds; round++) {
      const ceiling = await ceilingRate(rig, messages, round);
      const rate = await serviceRate(rig, messages, round, sql);
      figures.ceiling.push(ceiling);
      figures.rates.push(rate);
      figures.ofCeiling.push(rate / ceiling);
      log(
        `round ${round + 1}/${rounds} features: ${Math.round(rate)} of ${Math.round(ceiling)} messages/s`,
      );
    }
    const delay = await steadyDelay(rig, perSecond, seconds, sql);
    return { messages, users, ...figures, delay: { perSecond, ...delay } };
  } finally {
    await sql.end();
  }
}

export function featurePromises({ rates, delay }: FeatureFigures) {
  return [
    { promise: "features >= 8,000 messages/s", limit: 8_000, measured: median(rates) },
    { promise: "features p99 delay <= 100 ms", limit: 100, measured: delay.p99, most: true },
  ];
}

/** The service of an earlier part has made it, with a configuration of its own. */
async function emptyStream({ jsm }: Rig): Promise<void> {
  const names = await jsm.streams.names().next();
  if (names.includes(stream)) await jsm.streams.delete(stream);
}

async function ceilingRate(rig: Rig, messages: number, round: number): Promise<number> {
  const durable = `bench-ceiling-${round}`;
  const child = startContender("./contenders/ceiling.ts", {
    NATS_URL: rig.natsUrl,
    STREAM: stream,
    DURABLE: durable,
  });
  const rate = await ackRate(rig, stream, durable, messages);
  await stopContender(child);
  await rig.jsm.consumers.delete(stream, durable);
  return rate;
}

/** Every round applies every event anew. */
async function serviceRate(rig: Rig, messages: number, round: number, sql: postgres.Sql) {
  const prefix = `bench-${round}`;
  const child = startFeatures(rig, prefix);
  const durable = signals.durable(prefix);
  const rate = await ackRate(rig, stream, durable, messages);
  await stopContender(child);
  await rig.jsm.consumers.delete(stream, durable);
  const [found] = await sql<{ applied: number }[]>`
    SELECT coalesce(sum(version), 0)::int AS applied FROM user_features`;
  if (found?.applied !== messages) throw new Error(`${found?.applied} of ${messages} applied`);
  await sql`TRUNCATE user_features, feature_events`;
  return rate;
}

function startFeatures({ natsUrl, databaseUrl }: Rig, prefix: string) {
  return startContender("../dist/main.js", {
    NATS_URL: natsUrl,
    LEARNER_DATABASE_URL: databaseUrl,
    NATS_DURABLE_PREFIX: prefix,
    HTTP_PORT: "0",
  });
}

/** One message for each user, so that each row tells when it was updated. */
async function steadyDelay(rig: Rig, perSecond: number, seconds: number, sql: postgres.Sql) {
  await emptyStream(rig);
  await fillStream(rig, stream, []);
  const child = startFeatures(rig, "bench-steady");
  const durable = signals.durable("bench-steady");
  await until(async () => (await rig.jsm.consumers.list(stream).next()).length > 0);
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

/** Over all users in turn, some 300 bytes each: half syncs, a fifth feedback, the rest of other types. */
function* signalsOf(count: number, users: number): Generator<BenchEvent> {
  for (let i = 0; i < count; i++) yield signalOf(i, `user-${(i * 7_919) % users}`);
}

const subjects = ["task.synced", "tip.feedback", "task.synced", "page.opened", "task.synced"];

function signalOf(i: number, userId: string): BenchEvent {
  const subject = i % 10 === 9 ? "search.made" : (subjects[i % subjects.length] ?? "");
  const event = {
    event_id: `signal-${i}`,
    user_id: userId,
    tenant_id: "default",
    schema_version: 1,
    producer: "bench",
    payload: {
      source: "todoist",
      tasks: ["t-1", "t-2", "t-3"],
      feedback: i % 3 === 0 ? "positive" : "dismissed",
      session: "8f14e45f-ceea-4677-b0a1-6f3a5a1c1f7e",
      note: "x".repeat(60),
    },
  };
  return { subject, payload: Buffer.from(JSON.stringify(event)) };
}
