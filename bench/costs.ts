import { jetstream } from "@nats-io/jetstream";
import postgres from "postgres";
import { feedback, runs, signals } from "../src/subjects.ts";
import { removeStream } from "./against-ceiling.ts";
import { allNew, type BenchEvent, encode, repeated, storm } from "./events.ts";
import type { Part } from "./part.ts";
import { cpuSecondsOf } from "./process-times.ts";
import { fillStream, type Rig, startContender, stopContender, until } from "./rig.ts";
import { runEventsOf, signalsOf } from "./row-events.ts";
import { freePort, metricsOf, sumOf } from "./service-metrics.ts";

/** What one event costs, by its kind; everything per event. */
export interface Cost {
  readonly kind: string;
  readonly events: number;
  /** CPU, microseconds. */
  readonly serviceUs: number;
  readonly brokerUs: number;
  readonly databaseUs: number;
  /** What clients send to the broker and it to them; stored in the stream; written ahead by PostgreSQL. */
  readonly networkBytes: number;
  readonly streamBytes: number;
  readonly walBytes: number;
  readonly puts: number;
  readonly statements: number;
}

interface Kind {
  readonly kind: string;
  readonly stream: string;
  readonly subject: string;
  readonly durable: string;
  readonly concern: string;
  readonly events: (count: number) => Generator<BenchEvent>;
  /** Of the count that is asked for. */
  readonly share: number;
}

const evidence = { stream: "COSTS", subject: "costs.>", concern: "extractor" };
const users = 10_000;
const someRuns = 500;

/** No failure among them. */
function* successes(count: number): Generator<BenchEvent> {
  for (let i = 0; i < count; i++) {
    yield encode({ id: `ok-${i}`, ts: Date.now(), ok: true, agent: `agent-${i % 50}` });
  }
}

const kinds: readonly Kind[] = [
  { kind: "ok", events: successes, share: 1, durable: "costs-ok", ...evidence },
  {
    ...{ kind: "storm: failures of 50 settled signatures", share: 1, durable: "costs-storm" },
    ...{ events: (count: number) => storm(count, 50, Date.now()), ...evidence },
  },
  {
    ...{ kind: "failure: five of each signature, a lesson of each", share: 0.2 },
    ...{ events: (count: number) => repeated(count, Date.now()), ...evidence },
    durable: "costs-failure",
  },
  {
    ...{ kind: "first of its signature", share: 0.2, durable: "costs-first", ...evidence },
    events: (count) => allNew(count, Date.now()),
  },
  {
    ...{ kind: "signal (a feature)", share: 0.5, concern: "features", subject: signals.subject },
    ...{ stream: signals.stream, durable: signals.durable("costs") },
    events: (count) => signalsOf(count, users),
  },
  {
    ...{ kind: "event of a run", share: 0.5, concern: "runs", subject: runs.subject },
    ...{ stream: runs.stream, durable: runs.durable },
    events: (count) => runEventsOf(count, someRuns),
  },
];

export interface Costs {
  readonly kinds: readonly Cost[];
  /** Writes a second to one bucket, by one client that does not wait for each: what one leader does at the most. */
  readonly putsPerSecond: number;
}

const putsAtOnce = 1_000;
const documentBytes = 400;

/** Compare-and-set puts of documents as evidence has them. */
async function putRate(rig: Rig, puts: number): Promise<number> {
  const js = jetstream(rig.nc);
  const name = "KV_bench-puts";
  const subject = (i: number) => `$KV.bench-puts.evidence.${i}`;
  await rig.jsm.streams.add({ name, subjects: ["$KV.bench-puts.>"], max_msgs_per_subject: 1 });
  const document = Buffer.alloc(documentBytes, "x");
  const startedAt = performance.now();
  for (let at = 0; at < puts; at += putsAtOnce) {
    const some = Array.from({ length: Math.min(putsAtOnce, puts - at) }, (_, i) => at + i);
    const expect = { lastSubjectSequence: 0 };
    await Promise.all(some.map((i) => js.publish(subject(i), document, { expect })));
  }
  const rate = (puts / (performance.now() - startedAt)) * 1_000;
  await rig.jsm.streams.delete(name);
  return rate;
}

/** Each kind on its own: a replica that is ready, then all events at once, until the last is acked. */
export async function measureCosts(
  rig: Rig,
  options: { readonly events: number; readonly log: (line: string) => void },
): Promise<Costs> {
  const putsPerSecond = await putRate(rig, Math.ceil(options.events / 2));
  options.log(`costs: ${Math.round(putsPerSecond)} puts/s to one bucket`);
  const costs: Cost[] = [];
  for (const kind of kinds) {
    const events = Math.ceil(options.events * kind.share);
    const cost = await costOf(rig, kind, events);
    costs.push(cost);
    options.log(`costs: ${rowOf(cost)}`);
  }
  return { kinds: costs, putsPerSecond };
}

async function costOf(rig: Rig, kind: Kind, events: number): Promise<Cost> {
  const { stream, subject, durable, concern } = kind;
  for (const one of [stream, feedback.stream]) await removeStream(rig, one);
  await fillStream(rig, stream, [], subject);
  const port = await freePort();
  const child = startContender("../dist/main.js", {
    ...{ NATS_URL: rig.natsUrl, LEARNER_DATABASE_URL: rig.databaseUrl },
    ...{ HTTP_PORT: String(port), EXPERIENCE_CONCERNS: concern, NATS_DURABLE_PREFIX: "costs" },
    ...(concern === "extractor" && {
      ...{ EXPERIENCE_STREAM_NAME: stream, EXPERIENCE_SUBJECT: subject },
      EXPERIENCE_DURABLE: durable,
    }),
  });
  const isDone = async (count: number) => {
    const info = await rig.jsm.consumers.info(stream, durable).catch(() => null);
    return info !== null && info.ack_floor.stream_seq === count;
  };
  await until(async () => {
    if (child.exitCode !== null) throw new Error(`the service ended with ${child.exitCode}`);
    const answer = await fetch(`http://127.0.0.1:${port}/readyz`).catch(() => null);
    return answer?.status === 200 && (await isDone(0));
  });
  const before = await figuresOf(rig, stream, port);
  await publish(rig, subject, kind.events(events));
  await until(() => isDone(events));
  const after = await figuresOf(rig, stream, port);
  await stopContender(child);
  await rig.jsm.streams.delete(stream);
  const per = (of: keyof typeof after) => (after[of] - before[of]) / events;
  return {
    ...{ kind: kind.kind, events },
    ...{ serviceUs: per("service") * 1e6, brokerUs: per("broker") * 1e6 },
    ...{ databaseUs: per("database") * 1e6, networkBytes: per("network") },
    ...{ streamBytes: per("stored"), walBytes: per("wal") },
    ...{ puts: per("puts"), statements: per("statements") },
  };
}

async function publish(rig: Rig, subject: string, events: Iterable<BenchEvent>): Promise<void> {
  const prefix = subject.slice(0, -1);
  let count = 0;
  for (const { subject: rest, payload } of events) {
    rig.nc.publish(prefix + rest, payload);
    if (++count % 2_000 === 0) await rig.nc.flush();
  }
  await rig.nc.flush();
}

async function figuresOf(rig: Rig, stream: string, port: number) {
  const text = await metricsOf(port);
  const { state } = await rig.jsm.streams.info(stream);
  const server = (await (await fetch(`${rig.monitorUrl}/varz`)).json()) as Record<string, number>;
  let puts = 0;
  for await (const { config, state: of } of rig.jsm.streams.list()) {
    if (config.name.startsWith("KV_")) puts += of.last_seq;
  }
  const sql = postgres(rig.databaseUrl, { max: 1 });
  const [row] = await sql<{ wal: number }[]>`
    SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::float8 AS wal`;
  await sql.end();
  return {
    ...{ puts, stored: state.bytes, wal: row?.wal ?? Number.NaN },
    service: sumOf(text, "process_cpu_seconds_total"),
    statements: sumOf(text, "postgres_statement_duration_seconds_count"),
    broker: cpuSecondsOf("nats-server"),
    database: cpuSecondsOf("postgres"),
    network: (server["in_bytes"] ?? 0) + (server["out_bytes"] ?? 0),
  };
}

function rowOf(cost: Cost): string {
  const { serviceUs, brokerUs, databaseUs, networkBytes, streamBytes, walBytes } = cost;
  const whole = [serviceUs, brokerUs, databaseUs, networkBytes, streamBytes, walBytes].map((of) =>
    Math.round(of).toLocaleString("en"),
  );
  const per1000 = [cost.puts, cost.statements].map((of) => (of * 1_000).toFixed(1));
  return `| ${[cost.kind, ...whole, ...per1000].join(" | ")} |`;
}

export const costsPart: Part<Costs> = {
  name: "costs",
  measure: ({ rig, quick, log }) => measureCosts(rig, { events: quick ? 1_000 : 100_000, log }),
  report: ({ kinds: costs, putsPerSecond }) => [
    "| an event | service, µs | broker, µs | PostgreSQL, µs | network, B | stream, B | WAL, B | KV puts per 1,000 | SQL per 1,000 |",
    "|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ...costs.map(rowOf),
    "",
    `One bucket takes ${Math.round(putsPerSecond).toLocaleString("en")} puts/s of ${documentBytes} bytes.`,
    "",
  ],
};
