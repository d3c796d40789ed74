import { afterAll, beforeAll, expect, test } from "vitest";
import type { Broker } from "../rig/broker.ts";
import { eventually } from "../rig/eventually.ts";
import { type Build, copyBuild } from "./build.ts";
import { compareWithReference } from "./comparison.ts";
import { defaultWindowMs } from "./events.ts";
import { type Fleet, openFleetStack } from "./fleet.ts";
import { loadNotMade, startLoad } from "./load.ts";
import { durable, untilQuiet } from "./stack.ts";

/** Far more than one replica gets done while the others start. */
const backlog = 500_000;
/** What goes on coming meanwhile. */
const perSecond = 1_000;
/** A phase that begins with less has nothing to show. */
const atStake = 10_000;
const limitMs = 120_000;
const acked = 'js_messages_acked_total{stream="EXPERIENCE"}';

let build: Build;
beforeAll(() => {
  build = copyBuild();
});
afterAll(() => build.remove());

interface Phase {
  readonly replicas: number;
  /** What waited when it began. */
  readonly lag: number;
  readonly perSecond: number;
  /** By each replica that was there to the end of it. */
  readonly ackedBy: readonly number[];
}

const lagOf = async ({ jsm }: Broker): Promise<number> =>
  (await jsm.consumers.info("EXPERIENCE", durable)).num_pending;

/** Lets the replicas work until so little waits. */
async function phase(broker: Broker, { members }: Fleet, until: (lag: number) => number) {
  const countAcked = async () => {
    const samples = await Promise.all(members.map((member) => member.figures()));
    return samples.map((figures) => figures[acked] ?? 0);
  };
  const startedAt = performance.now();
  const before = await countAcked();
  const lag = await lagOf(broker);
  await eventually(async () => (await lagOf(broker)) <= until(lag), limitMs);
  const ackedBy = (await countAcked()).map((count, i) => count - (before[i] ?? 0));
  const seconds = (performance.now() - startedAt) / 1_000;
  const total = ackedBy.reduce((sum, count) => sum + count, 0);
  return { replicas: members.length, lag, perSecond: total / seconds, ackedBy } satisfies Phase;
}

test("one replica, then four, then two under load: the lag drains and nothing is lost or delivered twice", async ({
  onTestFinished,
}) => {
  const { broker, database, nc, fleet } = await openFleetStack(build.main, onTestFinished);
  const start = async (count: number) => {
    const started = await Promise.all(Array.from({ length: count }, () => fleet.start()));
    await Promise.all(started.map((member) => member.ready()));
  };
  await broker.jsm.streams.add({ name: "EXPERIENCE", subjects: ["agent.experience.v1.>"] });
  const waiting = startLoad(nc, Number.POSITIVE_INFINITY, { most: backlog });
  await waiting.done;

  const load = startLoad(nc, perSecond, { from: backlog });
  await start(1);
  const alone = await phase(broker, fleet, (lag) => lag * 0.8);
  await start(3);
  const four = await phase(broker, fleet, (lag) => lag * 0.8);
  const all = fleet.members;
  const leaving = all.slice(0, 2);
  const endings = await Promise.all(leaving.map((member) => fleet.stop(member)));
  const two = await phase(broker, fleet, () => 0);
  await load.stop();
  await untilQuiet(broker, limitMs);

  const info = await broker.jsm.consumers.info("EXPERIENCE", durable);
  const { state } = await broker.jsm.streams.info("EXPERIENCE");
  const again = info.delivered.consumer_seq - info.delivered.stream_seq;
  const warnings = all.flatMap(({ log }) => log.filter(({ level }) => Number(level) >= 40));
  const { lessons, differences } = await compareWithReference(broker, database, defaultWindowMs);
  console.info(
    [
      ...[alone, four, two].map(
        (one) =>
          `${one.replicas} replicas: lag ${one.lag}, ${Math.round(one.perSecond)} acked/s, by each: ${one.ackedBy.join(", ")}`,
      ),
      `backlog of ${waiting.confirmed} published at ${Math.round(waiting.rate())}/s, then ${load.confirmed} at ${Math.round(load.rate())}/s; stops ${endings.map(({ ms }) => Math.round(ms)).join(", ")} ms`,
      `${lessons} lessons, ${differences.length} differences; ${again} messages delivered again`,
    ].join("\n"),
  );

  for (const { lag, ackedBy } of [alone, four, two]) {
    expect(lag).toBeGreaterThan(atStake);
    for (const count of ackedBy) expect(count).toBeGreaterThan(0);
  }
  expect(endings.map(({ code, log }) => (code === 0 ? 0 : log))).toEqual([0, 0]);
  expect(state.messages).toBe(waiting.confirmed + load.confirmed);
  expect(info.ack_floor.stream_seq).toBe(state.last_seq);
  expect(again, `delivered again; replicas warned ${JSON.stringify(warnings)}`).toBe(0);
  expect(lessons).toBeGreaterThan(1_000);
  expect(differences).toEqual([]);
  expect(load.rate(), loadNotMade(perSecond)).toBeGreaterThan(0.9 * perSecond);
});
