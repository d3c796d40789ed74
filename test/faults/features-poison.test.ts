import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { eventually } from "../rig/eventually.ts";
import { type Build, copyBuild } from "./build.ts";
import { storedMessages } from "./comparison.ts";
import { setFailpoint } from "./failpoint.ts";
import { compareFeatures, featureSources } from "./features-comparison.ts";
import { countApplied, openFeatureStack, untilFeaturesQuiet } from "./features-story.ts";
import { type Publication, publishAll } from "./publications.ts";
import { type Stack, type StackOptions, untilAllAsk } from "./stack.ts";
import { steps } from "./steps.ts";

let build: Build;
beforeAll(() => {
  build = copyBuild();
});
afterAll(() => build.remove());

const maxDeliver = 3;
/** The service's own batch, so that as many as can be are in one with the poisoned message. */
const env = { NATS_MAX_DELIVER: String(maxDeliver), EXPERIENCE_FETCH_BATCH: "256" };

async function open(options: Partial<StackOptions> = {}): Promise<Stack> {
  const stack = await openFeatureStack({ size: 2, main: build.main, env, ...options });
  onTestFinished(() => stack.close());
  await Promise.all(featureSources.map((source) => untilAllAsk(stack, 20_000, source)));
  // The first statement on a connection is prepared, and the first code is compiled.
  await publishAll(stack.broker, signalsOf(users("first", 100)));
  await eventually(async () => (await countApplied(stack.database)) === 100, 20_000);
  return stack;
}

const users = (name: string, count: number) =>
  Array.from({ length: count }, (_, i) => `${name}-${i}`);

function signalsOf(userIds: readonly string[]): Publication[] {
  return userIds.map((user) => ({
    subject: "signals.page.opened",
    payload: Buffer.from(JSON.stringify({ event_id: `event-of-${user}`, user_id: user })),
  }));
}

/** The poisoned one in the middle of all. */
async function publishAround(stack: Stack, good: readonly string[], poisoned: Publication) {
  const publications = signalsOf(good);
  publications.splice(publications.length / 2, 0, poisoned);
  await publishAll(stack.broker, publications);
}

/** How long each of these users' only event was on its way from the stream to its row, in ms; rising. */
async function delaysOf({ broker, database }: Stack, userIds: readonly string[]) {
  const rows = await database.sql<{ user: string; at: Date }[]>`
    SELECT user_id AS user, updated_at AS at FROM user_features`;
  const appliedAt = new Map(rows.map(({ user, at }) => [user, at.getTime()]));
  const storedAt = new Map<string, number>();
  for (const message of await storedMessages(broker, "SIGNALS")) {
    const [user] = /(?<="user_id":")[^"]+/.exec(Buffer.from(message.data).toString()) ?? [""];
    storedAt.set(user, message.storedAt);
  }
  const delays = userIds.map(
    (user) =>
      (appliedAt.get(user) ?? Number.POSITIVE_INFINITY) -
      (storedAt.get(user) ?? Number.NEGATIVE_INFINITY),
  );
  return delays.sort((a, b) => a - b);
}

const figuresOf = (delays: readonly number[]) =>
  `${delays.length} good ones on their way for ${delays[delays.length >> 1]} ms (median), ${delays.at(-1)} ms (longest)`;

const good = users("good", 1_000);

test("an invalid message among 1,000 is a dead letter, and none of the others waits for it", async () => {
  const stack = await open();
  await publishAround(stack, good, { subject: "signals.page.opened", payload: Buffer.from("{") });
  await untilFeaturesQuiet(stack.broker, 20_000);

  const { differences, deadLetters } = await compareFeatures(stack.broker, stack.database);
  const delays = await delaysOf(stack, good);
  console.info(`an invalid message: ${differences.length} differences; ${figuresOf(delays)}`);
  expect(differences).toEqual([]);
  expect(deadLetters).toMatchObject([{ code: "bad_request", reason: "not JSON", attempts: 0 }]);
  expect(delays.at(-1), figuresOf(delays)).toBeLessThan(1_000);
});

test("a message that PostgreSQL refuses is a dead letter after three attempts, and none of the others waits for it", async () => {
  const stack = await open();
  await stack.database.sql`ALTER TABLE user_features
    ADD CONSTRAINT no_refused CHECK (user_id <> 'refused')`;
  const [refused] = signalsOf(["refused"]) as [Publication];
  await publishAround(stack, good, refused);
  await untilFeaturesQuiet(stack.broker, 20_000);

  const { differences, deadLetters } = await compareFeatures(
    stack.broker,
    stack.database,
    ({ userId }) => userId === "refused",
  );
  const delays = await delaysOf(stack, good);
  console.info(`a refused message: ${differences.length} differences; ${figuresOf(delays)}`);
  expect(differences).toEqual([]);
  expect(deadLetters).toMatchObject([
    {
      stream: "SIGNALS",
      durable: "feature-pipeline-signals",
      code: "bad_request",
      reason: expect.stringMatching(/23514 check_violation/),
      attempts: maxDeliver,
    },
  ]);
  expect(delays.at(-1), figuresOf(delays)).toBeLessThan(1_000);
});

test("a message that kills every process that handles it is a dead letter after three noted starts, and nothing else is lost", async () => {
  const step = {
    name: "killer handled",
    matches: (message: Parameters<typeof steps.features.matches>[0]) =>
      steps.features.matches(message) && message.body.includes('"userId":"killer"'),
  };
  const failpoint = setFailpoint({ step, moment: "before", at: Array(200).fill(1) });
  const stack = await open({ failpoint });
  const [killer] = signalsOf(["killer"]) as [Publication];
  const startedAt = performance.now();
  await publishAround(stack, good, killer);
  await untilFeaturesQuiet(stack.broker, 60_000);

  const { differences, deadLetters } = await compareFeatures(
    stack.broker,
    stack.database,
    ({ userId }) => userId === "killer",
  );
  const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1);
  const delays = await delaysOf(stack, good);
  console.info(
    `a killer: ${differences.length} differences, ${failpoint.triggered} kills in ${seconds} s; ${figuresOf(delays)}`,
  );
  expect(differences).toEqual([]);
  expect(deadLetters).toMatchObject([
    { durable: "feature-pipeline-signals", code: "crash_loop", attempts: maxDeliver },
  ]);
  // Twice among others, then alone as often as it may.
  expect(failpoint.triggered).toBe(2 + maxDeliver);
  expect(stack.supervisor.accidents).toEqual([]);
});
