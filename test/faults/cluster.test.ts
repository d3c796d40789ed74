import { connect } from "@nats-io/transport-node";
import { afterAll, beforeAll, expect, test } from "vitest";
import { pause } from "../../src/runtime/backoff.ts";
import { bucketStream, evidenceBucket } from "../../src/subjects.ts";
import { type Cluster, startCluster } from "../rig/cluster.ts";
import { freshDatabase, type TestDatabase } from "../rig/database.ts";
import { eventually } from "../rig/eventually.ts";
import { type Build, copyBuild } from "./build.ts";
import { compareWithReference } from "./comparison.ts";
import { defaultWindowMs } from "./events.ts";
import { median, openFleet } from "./fleet.ts";
import { startLoad } from "./load.ts";
import { durable, untilQuiet } from "./stack.ts";

const kills = 10;
const perSecond = 1_000;
/** A nats-server that hears nothing of its leader waits 4 to 9 s before it asks for votes. */
const longestStallMs = 12_000;
/**
 * Two that ask at once have half of the votes each, and wait as long again. That takes longer than a
 * stall may, and nothing but nats-server can help it; what the service adds is limited all the same.
 */
const afterElectionMs = 3_000;
/** Without a leader of each of these there can be no new lesson. */
const needed = ["EXPERIENCE", bucketStream(evidenceBucket(durable)), "LESSONS"];
const wholeLimitMs = 120_000;
const quietLimitMs = 90_000;

let build: Build;
beforeAll(() => {
  build = copyBuild();
});
afterAll(() => build.remove());

/**
 * Looks again and again how many lessons there are. The load calls for another one every 100 ms, so the
 * longest time without a new one is how long nothing was stored, to some 100 ms; time in which the
 * broker took no events is part of it.
 */
function watchLessons({ sql }: TestDatabase) {
  const ends = new AbortController();
  let lessons = 0;
  let grewAt = performance.now();
  let longestMs = 0;
  async function run(): Promise<void> {
    while (!ends.signal.aborted) {
      const [row] = await sql<{ count: number }[]>`SELECT count(*)::int FROM agent_lessons`;
      const count = row?.count ?? 0;
      longestMs = Math.max(longestMs, performance.now() - grewAt);
      if (count > lessons) grewAt = performance.now();
      lessons = count;
      await pause(20, ends.signal);
    }
  }
  const running = run();
  return {
    get lessons() {
      return lessons;
    },
    /** The longest time without a new lesson since this was asked last. */
    longestMs() {
      const found = longestMs;
      longestMs = 0;
      return found;
    },
    async stop() {
      ends.abort();
      await running;
    },
  };
}

async function leaderOf({ jsm }: Cluster): Promise<string> {
  let leader = "";
  await eventually(async () => {
    const info = await jsm.consumers.info("EXPERIENCE", durable).catch(() => undefined);
    leader = info?.cluster?.leader ?? "";
    return leader !== "";
  }, wholeLimitMs);
  return leader;
}

test("the leader of the consumer killed ten times in a cluster of three: no stall over 12 s, nothing lost", async ({
  onTestFinished,
}) => {
  const [cluster, database] = await Promise.all([startCluster(), freshDatabase()]);
  const nc = await connect({
    servers: cluster.url.split(","),
    maxReconnectAttempts: -1,
    reconnectTimeWait: 50,
  });
  const fleet = openFleet({
    main: build.main,
    natsUrl: cluster.url,
    databaseUrl: database.url,
    env: { JETSTREAM_REPLICAS: "3" },
  });
  onTestFinished(async () => {
    await fleet.close();
    await nc.close();
    await Promise.all([cluster.remove(), database.drop()]);
  });
  const members = await Promise.all([fleet.start(), fleet.start(), fleet.start()]);
  await Promise.all(members.map((member) => member.ready()));
  await cluster.untilCurrent(wholeLimitMs);

  const load = startLoad(nc, perSecond, { mostInFlight: 500 });
  const watch = watchLessons(database);
  await eventually(() => watch.lessons > 20, wholeLimitMs);
  watch.longestMs();
  const stalls: { readonly ms: number; readonly electionMs: number }[] = [];
  for (let kill = 0; kill < kills; kill += 1) {
    const leader = await leaderOf(cluster);
    const before = load.confirmed;
    const killedAt = performance.now();
    await cluster.kill(leader);
    const election = cluster
      .untilLedWithout(leader, needed, wholeLimitMs)
      .then(() => performance.now() - killedAt);
    // It stays away until the others have gone on without it.
    const had = watch.lessons;
    await eventually(() => watch.lessons > had + 20, wholeLimitMs);
    const electionMs = await election;
    await cluster.restart(leader);
    await cluster.untilCurrent(wholeLimitMs);
    const stall = { ms: watch.longestMs(), electionMs };
    stalls.push(stall);
    console.info(
      `kill ${kill + 1}: ${leader}, new leaders after ${Math.round(electionMs)} ms, stall ${Math.round(stall.ms)} ms, ${load.confirmed - before} events meanwhile`,
    );
  }
  await load.stop();
  const stoppedAt = performance.now();
  await untilQuiet(cluster, quietLimitMs);
  const quietMs = performance.now() - stoppedAt;
  await watch.stop();

  const { state } = await cluster.jsm.streams.info("EXPERIENCE");
  const info = await cluster.jsm.consumers.info("EXPERIENCE", durable);
  const comparison = await compareWithReference(cluster, database, defaultWindowMs);
  const [delay] = await database.sql<{ p50: number; max: number }[]>`
    SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds) AS p50, max(seconds)::float8 AS max
    FROM (SELECT extract(epoch FROM ts - (evidence->>'last_ts')::timestamptz) AS seconds
          FROM agent_lessons) AS lessons`;
  console.info(
    [
      `${load.confirmed} events at ${Math.round(load.rate())}/s, ${comparison.lessons} lessons, ${comparison.differences.length} differences`,
      `stall p50 ${Math.round(median(stalls.map(({ ms }) => ms)))} ms, max ${Math.round(Math.max(...stalls.map(({ ms }) => ms)))} ms; ${info.delivered.consumer_seq - info.delivered.stream_seq} messages delivered again, all done ${Math.round(quietMs)} ms after the last event`,
      `from an event's own time to its lesson: p50 ${delay?.p50.toFixed(2)} s, max ${delay?.max.toFixed(2)} s`,
    ].join("\n"),
  );

  expect(comparison.differences).toEqual([]);
  expect(comparison.lessons).toBeGreaterThan(100);
  expect(state.messages).toBe(load.confirmed);
  expect(members.map(({ process }) => process.exitCode)).toEqual(members.map(() => null));
  for (const { ms, electionMs } of stalls) {
    expect(ms).toBeLessThanOrEqual(Math.max(longestStallMs, electionMs + afterElectionMs));
  }
});
