import { expect, onTestFinished, test } from "vitest";
import { type AttemptsLog, noAttempts, openAttemptsLog } from "../../src/kv/attempts.ts";
import { openDocuments } from "../../src/kv/documents.ts";
import type { Delivery } from "../../src/runtime/delivery.ts";
import { type Broker, startBroker } from "../rig/broker.ts";
import { recordingLog } from "../rig/service.ts";

async function openBroker(): Promise<Broker> {
  const broker = await startBroker();
  onTestFinished(() => broker.remove());
  await broker.jsm.streams.add({
    name: "KV_attempts",
    subjects: ["$KV.attempts.>"],
    max_msgs_per_subject: 1,
    allow_rollup_hdrs: true,
  });
  return broker;
}

/** As each replica has one. */
const openLog = async ({ js }: Broker): Promise<AttemptsLog> =>
  openAttemptsLog(
    await openDocuments({
      js,
      bucket: "attempts",
      prefix: "attempts.",
      empty: noAttempts,
      recreate: () => Promise.reject(new Error("not wanted here")),
      log: recordingLog().log,
    }),
  );

const message = (identity: string) => ({ identity }) as Delivery;

test("a message that nobody has begun has no attempts", async () => {
  const log = await openLog(await openBroker());
  expect(await log.read(message("m"))).toEqual({ started: 0 });
});

test("starts are counted across replicas", async () => {
  const broker = await openBroker();
  const [first, second] = [await openLog(broker), await openLog(broker)];
  await first.start(message("m"), "one");
  await second.start(message("m"), "two");
  expect(await first.read(message("m"))).toMatchObject({ started: 2 });
  expect(await first.read(message("other"))).toEqual({ started: 0 });
});

test("an end takes a start back", async () => {
  const log = await openLog(await openBroker());
  await log.start(message("m"), "one");
  await log.start(message("m"), "two");
  await log.end(message("m"), "two");
  expect(await log.read(message("m"))).toMatchObject({ started: 1 });
});

test("a start that is noted again counts once, and is taken back once", async () => {
  const log = await openLog(await openBroker());
  await log.start(message("m"), "died");
  for (let i = 0; i < 2; i += 1) await log.start(message("m"), "one");
  expect(await log.read(message("m"))).toMatchObject({ started: 2 });
  for (let i = 0; i < 2; i += 1) await log.end(message("m"), "one");
  expect(await log.read(message("m"))).toMatchObject({ started: 1 });
});

test("replicas at one message at once take back their own starts", async () => {
  const broker = await openBroker();
  const [first, second] = [await openLog(broker), await openLog(broker)];
  await first.start(message("m"), "one");
  await second.start(message("m"), "two");
  await first.end(message("m"), "one");
  await second.end(message("m"), "two");
  expect(await first.read(message("m"))).toMatchObject({ started: 0 });
});

test("an end without a start counts nothing below zero", async () => {
  const log = await openLog(await openBroker());
  await log.end(message("m"), "one");
  expect(await log.read(message("m"))).toEqual({ started: 0 });
});

test("a failure keeps its start and its error, cut to 500 characters", async () => {
  const log = await openLog(await openBroker());
  await log.start(message("m"), "one");
  await log.fail(message("m"), "x".repeat(2_000));
  expect(await log.read(message("m"))).toMatchObject({ started: 1, lastError: "x".repeat(500) });
});

test("attempts survive the process and the broker's restart", async () => {
  const broker = await openBroker();
  await (await openLog(broker)).start(message("m"), "one");
  await broker.kill();
  await broker.restart();
  expect(await (await openLog(broker)).read(message("m"))).toMatchObject({ started: 1 });
});

test("an identity of any characters is a key", async () => {
  const log = await openLog(await openBroker());
  const odd = message("2026-01-01T00:00:00.123456Z:7 * > ..");
  await log.start(odd, "one");
  expect(await log.read(odd)).toMatchObject({ started: 1 });
});
