import type { ChildProcess } from "node:child_process";
import { hash } from "node:crypto";
import { AckPolicy, jetstream } from "@nats-io/jetstream";
import { nanos } from "@nats-io/transport-node";
import { pino } from "pino";
import postgres from "postgres";
import { coverageKey, openEvidenceBucket } from "../src/handlers/extractor/bucket.ts";
import { bucketStream, evidenceBucket } from "../src/subjects.ts";
import { type Rig, startExtractor, stopContender, until } from "./rig.ts";
import { freePort, metricsOf, sumOf } from "./service-metrics.ts";

/** One replica, or several, of one durable. */
export interface Readers {
  readonly subject: string;
  readonly durable: string;
  readonly replicas: number;
}

export interface ReplicasFigures {
  readonly events: number;
  /** From the durables let go to every message acked. */
  readonly seconds: number;
  /** Of all replicas together. */
  readonly cpuSeconds: number;
  /** Of the events, by replica. */
  readonly shares: readonly number[];
  readonly puts: number;
  readonly lostCompareAndSets: number;
  readonly statements: number;
  /** What was learned: the same for the same events. */
  readonly learned: { readonly lessons: number; readonly sightings: number; readonly keys: string };
}

/** The service's defaults: what a document's key names. */
const evidence = { windowMs: 1_800_000, countBy: "run" } as const;
const ackWaitMs = 30_000;
const mostPending = 200_000;
const anHourMs = 3_600_000;

/**
 * Replicas that are ready, with a bucket that is known to be complete, are let go at a stream that is full, with a
 * database of their own; measured until every message is acked.
 */
export async function measureReplicas(
  rig: Rig,
  options: {
    readonly stream: string;
    readonly events: number;
    readonly readers: readonly Readers[];
    readonly env?: Record<string, string>;
  },
): Promise<ReplicasFigures> {
  const { stream, events, readers, env } = options;
  const database = await cloneDatabase(rig);
  for (const reader of readers) await addPausedDurable(rig, stream, reader);
  const replicas = await Promise.all(
    readers.flatMap((reader) =>
      Array.from({ length: reader.replicas }, () =>
        startReplica({ ...rig, databaseUrl: database.url }, { ...reader, stream }, env),
      ),
    ),
  );
  for (const { durable } of readers) await declareComplete(rig, durable);
  const before = await figuresOf(rig, replicas, readers);
  const startedAt = performance.now();
  await Promise.all(readers.map(({ durable }) => rig.jsm.consumers.resume(stream, durable)));
  for (const { durable } of readers) await until(() => isDone(rig, stream, durable));
  const seconds = (performance.now() - startedAt) / 1_000;
  const after = await figuresOf(rig, replicas, readers);
  for (const { child } of replicas) await stopContender(child);
  for (const { durable } of readers) {
    await rig.jsm.consumers.delete(stream, durable);
    await rig.jsm.streams.delete(bucketStream(evidenceBucket(durable)));
  }
  const learned = await database.learned();
  await database.drop();
  const counted = (of: keyof (typeof after)[number]) =>
    after.reduce((sum, one, i) => sum + one[of] - (before[i]?.[of] ?? 0), 0);
  return {
    ...{ events, seconds, learned },
    cpuSeconds: counted("cpuSeconds"),
    shares: after.map(({ handled }, i) => (handled - (before[i]?.handled ?? 0)) / events),
    puts: counted("puts"),
    lostCompareAndSets: counted("lost"),
    statements: counted("statements"),
  };
}

interface Replica {
  readonly child: ChildProcess;
  readonly port: number;
}

async function startReplica(
  rig: Rig,
  reads: { readonly stream: string; readonly subject: string; readonly durable: string },
  env: Record<string, string> = {},
): Promise<Replica> {
  const port = await freePort();
  const child = startExtractor(rig, reads, { HTTP_PORT: String(port), ...env });
  await until(async () => {
    if (child.exitCode !== null) throw new Error(`a replica ended with ${child.exitCode}`);
    const answer = await fetch(`http://127.0.0.1:${port}/readyz`).catch(() => null);
    return answer?.status === 200;
  });
  return { child, port };
}

async function addPausedDurable(
  { jsm }: Rig,
  stream: string,
  { durable, subject }: Readers,
): Promise<void> {
  await jsm.consumers.add(stream, {
    ...{ durable_name: durable, filter_subject: subject, max_deliver: -1 },
    ...{ ack_policy: AckPolicy.Explicit, ack_wait: nanos(ackWaitMs), max_ack_pending: mostPending },
    pause_until: new Date(Date.now() + anHourMs).toISOString(),
  });
}

/** As a bucket is that has seen every event so far: nothing has to be read again. */
async function declareComplete({ nc }: Rig, durable: string): Promise<void> {
  const { coverage } = await openEvidenceBucket({
    ...{ js: jetstream(nc), bucket: evidenceBucket(durable), ...evidence },
    recreate: () => Promise.reject(new Error("the bucket has vanished")),
    log: pino({ level: "silent" }),
  });
  await coverage.put(coverageKey, { from: null, at: Date.now(), life: "bench" }, 0);
}

async function isDone({ jsm }: Rig, stream: string, durable: string): Promise<boolean> {
  const { num_pending, num_ack_pending } = await jsm.consumers.info(stream, durable);
  return num_pending === 0 && num_ack_pending === 0;
}

/** One line for each replica; what they write to buckets is in the first. */
async function figuresOf({ jsm }: Rig, replicas: readonly Replica[], readers: readonly Readers[]) {
  const written = await Promise.all(
    readers.map(async ({ durable }) => {
      const { state } = await jsm.streams.info(bucketStream(evidenceBucket(durable)));
      return state.last_seq;
    }),
  );
  const puts = written.reduce((sum, one) => sum + one, 0);
  return await Promise.all(
    replicas.map(async ({ port }, i) => {
      const text = await metricsOf(port);
      return {
        puts: i === 0 ? puts : 0,
        cpuSeconds: sumOf(text, "process_cpu_seconds_total"),
        handled: sumOf(text, "experience_events_total"),
        lost: sumOf(text, "kv_cas_conflicts_total"),
        statements: sumOf(text, "postgres_statement_duration_seconds_count"),
      };
    }),
  );
}

/** A database that has the tables, and what earlier parts have left in them. */
async function cloneDatabase({ databaseUrl }: Rig) {
  const url = new URL(databaseUrl);
  const template = url.pathname.slice(1);
  const name = `bench_${hash("sha256", String(process.hrtime.bigint()), "hex").slice(0, 12)}`;
  url.pathname = "/postgres";
  const admin = postgres(url.href, { max: 1 });
  await admin`CREATE DATABASE ${admin(name)} TEMPLATE ${admin(template)}`;
  url.pathname = `/${name}`;
  return {
    url: url.href,
    async learned() {
      const sql = postgres(url.href, { max: 1 });
      const [lessons] = await sql<{ count: number; keys: string }[]>`
        SELECT count(*)::int AS count, string_agg(lesson_key, ' ' ORDER BY lesson_key) AS keys
        FROM agent_lessons`;
      const [sightings] = await sql<{ count: number; keys: string }[]>`
        SELECT count(*)::int AS count,
          string_agg(lesson_key || window_start::text, ' ' ORDER BY lesson_key, window_start) AS keys
        FROM lesson_sightings`;
      await sql.end();
      return {
        lessons: lessons?.count ?? 0,
        sightings: sightings?.count ?? 0,
        keys: hash("sha256", `${lessons?.keys}\n${sightings?.keys}`, "hex"),
      };
    },
    async drop() {
      await admin`DROP DATABASE ${admin(name)} WITH (FORCE)`;
      await admin.end();
    },
  };
}
