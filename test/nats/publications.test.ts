import { DeliverPolicy, RetentionPolicy, StorageType } from "@nats-io/jetstream";
import { errors } from "@nats-io/transport-node";
import { expect, onTestFinished, test } from "vitest";
import { BusError, isOutage } from "../../src/errors.ts";
import { nats } from "../../src/nats/errors.ts";
import { openPublications } from "../../src/nats/publications.ts";
import { isUnanswered } from "../../src/nats/unanswered.ts";
import { startBroker } from "../rig/broker.ts";

async function openStream(config: { readonly max_msg_size?: number } = {}) {
  const broker = await startBroker();
  onTestFinished(broker.remove);
  await broker.jsm.streams.add({
    ...{ name: "EVENTS", subjects: ["events.>"], storage: StorageType.File },
    ...{ retention: RetentionPolicy.Limits, ...config },
  });
  const publications = openPublications(broker.nc, { inboxPrefix: "_INBOX", timeoutMs: 2_000 });
  const publish = (messageId: string, subject = "events.one", payload = Buffer.from(messageId)) =>
    publications.publish({ subject, payload, messageId });
  return { broker, publish };
}

/** What a promise was rejected with. */
async function reasonOf(promise: Promise<unknown>): Promise<unknown> {
  return await promise.then(
    () => "resolved",
    (error: unknown) => error,
  );
}

test("a thousand publications at once are stored in their order, and a second time not at all", async () => {
  const { broker, publish } = await openStream();
  const ids = Array.from({ length: 1_000 }, (_, i) => String(i));

  const first = await Promise.all(ids.map((id) => publish(id)));
  const again = await Promise.all(ids.map((id) => publish(id)));

  expect(first.some(({ duplicate }) => duplicate)).toBe(false);
  expect(again.every(({ duplicate }) => duplicate)).toBe(true);
  const stored: string[] = [];
  const consumer = await broker.js.consumers.get("EVENTS", { deliver_policy: DeliverPolicy.All });
  for await (const message of await consumer.fetch({ max_messages: ids.length })) {
    stored.push(message.string());
  }
  expect(stored).toEqual(ids);
});

test("what no stream stores, or a stream refuses, is said at once", async () => {
  const { publish } = await openStream({ max_msg_size: 10 });

  const unanswered = await reasonOf(nats(() => publish("a", "nobody.listens")));
  const tooLarge = await reasonOf(nats(() => publish("b", "events.one", Buffer.alloc(100))));

  expect(isUnanswered(unanswered)).toBe(true);
  expect(unanswered).toMatchObject({ code: "unavailable" });
  expect(tooLarge).toBeInstanceOf(BusError);
  expect(tooLarge).toMatchObject({ code: "too_large" });
});

test("nobody who answers, and a broker that dies, are outages; afterwards it goes on", async () => {
  const { broker, publish } = await openStream();
  await publish("before");
  broker.nc.subscribe("silent.>", { callback: () => undefined });
  await broker.nc.flush();

  expect(await reasonOf(publish("late", "silent.one"))).toBeInstanceOf(errors.TimeoutError);

  const underWay = reasonOf(nats(() => publish("cut", "silent.two")));
  await broker.kill();
  expect(isOutage(await underWay)).toBe(true);
  expect(await reasonOf(nats(() => publish("away")))).toMatchObject({ code: "unavailable" });

  await broker.restart();
  expect(await publish("after")).toEqual({ duplicate: false });
});
