import { afterAll, beforeAll, expect, type TestContext, test } from "vitest";
import { eventually } from "../rig/eventually.ts";
import { type Build, copyBuild } from "./build.ts";
import { compareWithReference } from "./comparison.ts";
import { defaultWindowMs, trafficFrom } from "./events.ts";
import { publishAll } from "./publications.ts";
import { durable, openStack, type Stack, untilQuiet } from "./stack.ts";
import type { ProxiedReplica } from "./supervisor.ts";

let build: Build;
beforeAll(() => {
  build = copyBuild();
});
afterAll(() => build.remove());

const limitMs = 10_000;

/** What is left behind would come back only after this long, which no test waits for. */
const longAckWait = { EXPERIENCE_ACK_WAIT_SECONDS: "120" };
/** For what a load may have left to do: far shorter than that. */
const quietLimitMs = 45_000;

async function open({ onTestFinished }: Pick<TestContext, "onTestFinished">): Promise<Stack> {
  const stack = await openStack({ size: 0, main: build.main, env: longAckWait });
  onTestFinished(() => stack.close());
  return stack;
}

/** Publishes until stopped, at most so many messages. */
function startLoad({ broker }: Stack, most: number) {
  const ends = new AbortController();
  let published = 0;
  const running = (async () => {
    for (let seed = 1; !ends.signal.aborted && published < most; seed += 1) {
      const { first, second } = trafficFrom(seed);
      for (const some of [first, second]) {
        await publishAll(broker, some);
        published += some.length;
      }
    }
  })();
  return {
    get published() {
      return published;
    },
    async stop() {
      ends.abort();
      await running;
    },
  };
}

async function stopWith(replica: ProxiedReplica, signal: NodeJS.Signals = "SIGTERM") {
  const startedAt = performance.now();
  replica.kill(signal);
  const { code, signal: by } = await replica.exited;
  return { code, by, ms: performance.now() - startedAt };
}

const consumerInfo = ({ broker }: Stack) => broker.jsm.consumers.info("EXPERIENCE", durable);

/** A successor finds everything at once, and in the end all is as it must be. */
async function expectNothingWaiting(stack: Stack): Promise<void> {
  const successor = await stack.start();
  await successor.ready();
  await untilQuiet(stack.broker, quietLimitMs);
  const { differences } = await compareWithReference(stack.broker, stack.database, defaultWindowMs);
  expect(differences).toEqual([]);
}

test.for(["SIGTERM", "SIGINT"] as const)(
  "%s under load: exit code 0, nothing left unacked, nothing delivered twice",
  async (signal, context) => {
    const stack = await open(context);
    const load = startLoad(stack, 50_000);
    const replica = await stack.start();
    await eventually(async () => {
      const info = await consumerInfo(stack).catch(() => undefined);
      return (info?.ack_floor.stream_seq ?? 0) > 300;
    }, 20_000);

    const { code, ms } = await stopWith(replica, signal);
    const left = await consumerInfo(stack);
    await load.stop();
    const { num_pending } = await consumerInfo(stack);

    console.info(`stopped in ${Math.round(ms)} ms with ${num_pending} of ${load.published} to do`);
    expect(code, JSON.stringify(replica.log.slice(-3))).toBe(0);
    expect(ms).toBeLessThan(limitMs);
    expect(left.num_ack_pending).toBe(0);
    await expectNothingWaiting(stack);
    const { delivered } = await consumerInfo(stack);
    expect(delivered.consumer_seq).toBe(delivered.stream_seq);
  },
);

test("a second signal ends the process at once", async (context) => {
  const stack = await open(context);
  const replica = await stack.start();
  await replica.ready();
  // Now a stop has something to wait for.
  replica.postgres.silence();
  await publishAll(stack.broker, trafficFrom(1).first);
  await eventually(async () => (await consumerInfo(stack)).num_ack_pending > 0);

  const first = performance.now();
  replica.kill("SIGTERM");
  await eventually(() => replica.hasLogged("^stopping"));
  // One Ctrl-C may arrive twice; only a later signal is a second one.
  await eventually(() => performance.now() - first > 1_000);
  const { code, ms } = await stopWith(replica);

  expect(code).toBe(1);
  // A stop that waits for the batch in hand takes six seconds.
  expect(ms).toBeLessThan(3_000);
});

test.concurrent.for([
  { away: "NATS", env: { NATS_URL: "nats://127.0.0.1:1" } },
  { away: "PostgreSQL", env: { LEARNER_DATABASE_URL: "postgres://a:b@127.0.0.1:1/c" } },
])("SIGTERM while waiting for $away at start: exit code 0", async ({ env }, context) => {
  const stack = await open(context);
  const replica = await stack.start(env);
  await eventually(() => replica.hasLogged("^waiting for"), 10_000);
  const { code, ms } = await stopWith(replica);
  expect(code).toBe(0);
  expect(ms).toBeLessThan(limitMs);
});

test.concurrent.for(["nats", "postgres"] as const)(
  "SIGTERM while %s does not answer at start: exit code 0",
  async (what, context) => {
    const stack = await open(context);
    const replica = await stack.start();
    replica[what].silence();
    await eventually(() => replica.hasLogged("^waiting for"), 20_000);
    const { code, ms } = await stopWith(replica);
    expect(code).toBe(0);
    expect(ms).toBeLessThan(limitMs);
  },
);

/** Ways to lose a server for good, as one replica sees it. */
const losses: Readonly<Record<string, (replica: ProxiedReplica) => Promise<void> | void>> = {
  "PostgreSQL away": ({ postgres }) => postgres.close(),
  "PostgreSQL silent": ({ postgres }) => postgres.silence(),
};

test.concurrent.for(Object.keys(losses))(
  "stopped with %s: exit code 0 within 10 s, nothing waits for ack_wait",
  async (name, context) => {
    const stack = await open(context);
    const replica = await stack.start();
    await replica.ready();
    await losses[name]?.(replica);
    const load = startLoad(stack, 1_000);
    await eventually(async () => (await consumerInfo(stack)).num_ack_pending > 32, 20_000);
    if (name === "PostgreSQL away") await eventually(() => replica.hasLogged("^outage"));

    const { code, ms } = await stopWith(replica);
    await load.stop();

    console.info(`${name}: stopped in ${Math.round(ms)} ms`);
    expect(code, JSON.stringify(replica.log.slice(-3))).toBe(0);
    expect(ms).toBeLessThan(limitMs);
    await expectNothingWaiting(stack);
  },
);

test.concurrent.for(["away", "silent"])(
  "stopped with the broker %s: exit code 0 within 10 s",
  async (how, context) => {
    const stack = await open(context);
    const replica = await stack.start();
    await replica.ready();
    await publishAll(stack.broker, trafficFrom(1).first);
    if (how === "away") await replica.nats.close();
    else replica.nats.silence();
    const { code, ms } = await stopWith(replica);
    console.info(`broker ${how}: stopped in ${Math.round(ms)} ms`);
    expect(code, JSON.stringify(replica.log.slice(-3))).toBe(0);
    expect(ms).toBeLessThan(limitMs);
  },
);
