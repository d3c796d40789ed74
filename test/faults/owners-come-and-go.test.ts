import { afterAll, beforeAll, expect, test } from "vitest";
import { lasting } from "../rig/eventually.ts";
import { handedBy } from "./affinity-figures.ts";
import { type Build, copyBuild } from "./build.ts";
import { compareWithReference } from "./comparison.ts";
import { defaultWindowMs, type Random, randomFrom } from "./events.ts";
import type { Interceptor } from "./proxy.ts";
import { failuresOf, publishAll } from "./publications.ts";
import { openStack, type Stack, untilQuiet } from "./stack.ts";
import type { ProxiedReplica } from "./supervisor.ts";
import type { Message } from "./wire.ts";

let build: Build;
beforeAll(() => {
  build = copyBuild();
});
afterAll(() => build.remove());

const size = { least: 3, most: 5 };
const changes = 14;
const everyMs = 1_000;
const agentsEachRound = 16;
const quietLimitMs = 90_000;

const members = /^(PUB|MSG) experience-bus\..*\.members$/;

/** Of what each other replica says it hears a dozen, then a dozen not: it is wrong about who is there, again and again. */
function hardOfHearing(): Interceptor {
  const heard = new Map<string, number>();
  let self: string | undefined;
  const speaker = ({ about, body }: Message) =>
    members.test(about)
      ? (JSON.parse(body.toString()) as { instance: string }).instance
      : undefined;
  return {
    admitRequest(message) {
      self = speaker(message) ?? self;
      return true;
    },
    requestSent: () => undefined,
    admitReply(message) {
      const other = speaker(message);
      if (other === undefined || other === self) return true;
      const count = heard.get(other) ?? 0;
      heard.set(other, count + 1);
      return Math.floor(count / 12) % 2 === 0;
    },
  };
}

/** Starts and stops replicas in turn, in whatever way they may stop. */
async function comeAndGo(stack: Stack, random: Random) {
  const living: ProxiedReplica[] = [];
  const stopped: ProxiedReplica[] = [];
  const signals = { SIGTERM: 0, SIGKILL: 0 };
  const start = async () => void living.push(await stack.start());

  async function stop(): Promise<void> {
    const [leaving] = living.splice(random(living.length), 1);
    if (leaving === undefined) return;
    const signal = random(2) === 0 ? "SIGTERM" : "SIGKILL";
    signals[signal] += 1;
    if (signal === "SIGKILL") return leaving.crash();
    // A signal to one that has not come so far ends it as any program.
    await leaving.ready();
    leaving.kill(signal);
    stopped.push(leaving);
  }

  for (let i = 0; i < size.least; i++) await start();
  await Promise.all(living.map((one) => one.ready()));
  return {
    living,
    signals,
    async change(times: number): Promise<void> {
      for (let i = 0; i < times; i++) {
        await lasting(everyMs);
        const grows = living.length < size.most && random(2) === 0;
        if (living.length === size.least || grows) await start();
        else await stop();
      }
    },
    exitCodes: () => Promise.all(stopped.map(async ({ exited }) => (await exited).code)),
  };
}

test("replicas that come and go all the time, and are wrong about who is there, leave the same lessons", async ({
  onTestFinished,
}) => {
  const stack = await openStack({
    ...{ size: 0, main: build.main, failpoint: { interceptor: hardOfHearing } },
    env: { EXPERIENCE_FETCH_BATCH: "4" },
  });
  onTestFinished(() => stack.close());
  const { broker, database } = stack;
  const fleet = await comeAndGo(stack, randomFrom(1));

  let rounds = 0;
  let isChanging = true;
  const load = async () => {
    for (; isChanging; rounds++) {
      const agents = Array.from({ length: agentsEachRound }, (_, i) => `agent-${rounds}-${i}`);
      await publishAll(
        broker,
        agents.flatMap((agent) => failuresOf(agent)),
      );
    }
  };
  const changing = fleet.change(changes).finally(() => {
    isChanging = false;
  });
  await Promise.all([changing, load()]);
  await untilQuiet(broker, quietLimitMs);

  const { differences, lessons, messages } = await compareWithReference(
    broker,
    database,
    defaultWindowMs,
  );
  const { handedOn, handedBack } = await handedBy(fleet.living);
  const { SIGTERM, SIGKILL } = fleet.signals;
  console.info(
    `${changes} changes, of them ${SIGTERM} SIGTERM and ${SIGKILL} SIGKILL; ${messages} messages, ${lessons} lessons, ${differences.length} differences; those left have handed on ${handedOn} events, and ${handedBack} back`,
  );
  expect(differences).toEqual([]);
  expect(lessons).toBe(rounds * agentsEachRound);
  expect(await fleet.exitCodes()).toEqual(Array(SIGTERM).fill(0));
  expect(Math.min(SIGTERM, SIGKILL, handedOn)).toBeGreaterThan(0);
});
