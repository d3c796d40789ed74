import type { NatsConnection } from "@nats-io/transport-node";
import { afterAll, beforeAll, expect, test } from "vitest";
import { pause } from "../../src/runtime/backoff.ts";
import { endpointSubject } from "../../src/subjects.ts";
import { ask } from "../rig/traffic.ts";
import { type Build, copyBuild } from "./build.ts";
import { compareWithReference } from "./comparison.ts";
import { defaultWindowMs } from "./events.ts";
import { type Ending, type Fleet, type Member, median, openFleetStack } from "./fleet.ts";
import { loadNotMade, startLoad } from "./load.ts";
import { type Readiness, type ReadinessWatch, watchReadiness } from "./readiness.ts";
import { durable, untilQuiet } from "./stack.ts";

const size = 3;
const rounds = 5;
const perSecond = 2_000;
const stopLimitMs = 10_000;
/** A replica takes 128 at once. */
const mostRequests = 64;
/** A signal may wait behind work of the process, and an answer may be under way. */
const unreadyLimitMs = 2_000;
const quietLimitMs = 60_000;

let build: Build;
beforeAll(() => {
  build = copyBuild();
});
afterAll(() => build.remove());

/** Like agents that use the write path with an answer: a new request every other millisecond, none sent again. */
function startRequests(nc: NatsConnection) {
  const ends = new AbortController();
  const failures: string[] = [];
  const waiting = new Set<Promise<void>>();
  let asked = 0;
  let slowestMs = 0;
  async function request(id: string): Promise<void> {
    const startedAt = performance.now();
    const event = { event_id: id, agent_id: "asking", result: { ok: true } };
    try {
      const { body, error } = await ask(nc, endpointSubject("extractor"), event);
      if (error !== "" || body.stored !== 1) failures.push(`${id}: ${JSON.stringify(body)}`);
    } catch (error) {
      failures.push(`${id}: ${error}`);
    }
    slowestMs = Math.max(slowestMs, performance.now() - startedAt);
  }
  async function run(): Promise<void> {
    while (!ends.signal.aborted) {
      await pause(1, ends.signal);
      if (waiting.size >= mostRequests) continue;
      const done = request(`request-${asked}`).finally(() => waiting.delete(done));
      waiting.add(done);
      asked += 1;
    }
    await Promise.all(waiting);
  }
  const running = run();
  return {
    async stop() {
      ends.abort();
      await running;
      return { asked, failures, slowestMs };
    },
  };
}

/** A Deployment with `maxUnavailable: 0`: the successor is ready before its predecessor is told to stop. */
async function replace(
  fleet: Fleet,
  old: Member,
  watches: Map<Member, ReadinessWatch>,
  watch: (member: Member) => ReadinessWatch,
): Promise<Ending & Readiness & Again> {
  const successor = await fleet.start();
  const newWatch = watch(successor);
  watches.set(successor, newWatch);
  await Promise.race([newWatch.ready, failedStart(successor)]);
  const again = againOf(await old.figures());
  watches.get(old)?.terminating();
  const ending = await fleet.stop(old);
  const readiness = await watches.get(old)?.stop();
  watches.delete(old);
  if (readiness === undefined) throw new Error("nobody watched it");
  return { ...ending, ...readiness, ...again };
}

async function failedStart({ ready, exited, log, complaints }: Member): Promise<never> {
  await ready();
  await exited;
  throw new Error(`replica ended: ${JSON.stringify([log.slice(-3), complaints])}`);
}

/** What one replica counted of messages that are delivered more than once. */
interface Again {
  readonly redelivered: number;
  readonly handedBack: number;
}

function againOf(figures: Readonly<Record<string, number>>): Again {
  const sumOf = (...parts: readonly string[]) =>
    Object.entries(figures)
      .filter(([sample]) => parts.every((part) => sample.includes(part)))
      .reduce((sum, [, count]) => sum + count, 0);
  return {
    redelivered: sumOf("js_messages_redelivered_total{"),
    handedBack: sumOf("affinity_events_total{", 'outcome="handed_back"'),
  };
}

test("15 replicas replaced one after another under load: nothing is lost, delivered twice or refused", async ({
  onTestFinished,
}) => {
  const { broker, database, nc, fleet } = await openFleetStack(build.main, onTestFinished);
  const watches = new Map<Member, ReadinessWatch>();
  const watch = ({ httpPort }: Member) => watchReadiness(nc, httpPort);
  for (let i = 0; i < size; i += 1) {
    const member = await fleet.start();
    watches.set(member, watch(member));
  }
  await Promise.all(
    [...watches].map(([one, { ready }]) => Promise.race([ready, failedStart(one)])),
  );

  const load = startLoad(nc, perSecond);
  const requests = startRequests(nc);
  const ended: Awaited<ReturnType<typeof replace>>[] = [];
  for (let round = 0; round < rounds; round += 1) {
    for (const old of fleet.members) ended.push(await replace(fleet, old, watches, watch));
  }
  await load.stop();
  const answers = await requests.stop();
  await untilQuiet(broker, quietLimitMs);

  const left = await Promise.all(
    fleet.members.map(async (member) => againOf(await member.figures())),
  );
  const again = [...ended, ...left].map(({ redelivered, handedBack }) => ({
    redelivered,
    handedBack,
  }));
  const stillThere = await Promise.all([...watches.values()].map((one) => one.stop()));
  const { state } = await broker.jsm.streams.info("EXPERIENCE");
  const info = await broker.jsm.consumers.info("EXPERIENCE", durable);
  const comparison = await compareWithReference(broker, database, defaultWindowMs);
  const seen = [...ended, ...stillThere];
  const stopMs = ended.map(({ ms }) => ms);
  const unreadyMs = ended.map(({ readyAfterTermMs }) => readyAfterTermMs);
  const answerMs = seen.flatMap((one) => one.answerMs);
  const ms = (values: readonly number[]) =>
    `p50 ${Math.round(median(values))} ms, max ${Math.round(Math.max(...values))} ms`;
  console.info(
    [
      `${ended.length} restarts; ${load.confirmed} events at ${Math.round(load.rate())}/s, ${comparison.lessons} lessons, ${comparison.sightings} sightings, ${comparison.differences.length} differences`,
      `stops: ${ms(stopMs)}; said ready after SIGTERM: ${ms(unreadyMs)}`,
      `readiness: asked ${seen.reduce((sum, { asked }) => sum + asked, 0)} times, ready ${seen.reduce((sum, { ready }) => sum + ready, 0)} times, answers ${ms(answerMs)}`,
      `requests: ${answers.asked}, ${answers.failures.length} failed, slowest ${Math.round(answers.slowestMs)} ms; ${info.delivered.consumer_seq - info.delivered.stream_seq} messages delivered again`,
    ].join("\n"),
  );

  expect(ended.map(({ code, log }) => (code === 0 ? 0 : log))).toEqual(ended.map(() => 0));
  expect(Math.max(...stopMs)).toBeLessThan(stopLimitMs);
  expect(seen.flatMap(({ lies }) => lies)).toEqual([]);
  expect(Math.max(...unreadyMs)).toBeLessThan(unreadyLimitMs);
  expect(answers.failures).toEqual([]);
  expect(state.messages).toBe(load.confirmed + answers.asked);
  expect(info.ack_floor.stream_seq).toBe(state.last_seq);
  expect(again).toEqual(again.map(() => ({ redelivered: 0, handedBack: 0 })));
  expect(info.num_redelivered).toBe(0);
  expect(info.delivered.consumer_seq).toBe(info.delivered.stream_seq);
  expect(comparison.lessons).toBeGreaterThan(100);
  expect(comparison.differences).toEqual([]);
  expect(load.rate(), loadNotMade(perSecond)).toBeGreaterThan(0.9 * perSecond);
});
