import { expect, test } from "vitest";
import { BusError } from "../../src/errors.ts";
import type { Delivery } from "../../src/runtime/delivery.ts";
import { eventually } from "../rig/eventually.ts";
import { gate, openToy, redeliver } from "./toy.ts";

const outage = () => new BusError("unavailable", "the toy box is locked");
const refusal = () => new BusError("bad_request", "the toy is broken");

/** Handles everything, and remembers what came together. */
function recorder() {
  const batches: string[][] = [];
  return {
    batches,
    all: () => batches.flat(),
    handle: async (texts: readonly string[]) => {
      batches.push([...texts]);
    },
  };
}

const redeliveries = ({ deliveries }: { deliveries: readonly boolean[] }) =>
  deliveries.filter((again) => again).length;

test("a single message is handled at once, however large a batch may be", async () => {
  const toy = await openToy();
  const { handle, all } = recorder();
  toy.start({ handle });
  await toy.publish("warm");
  await eventually(() => all().length === 1);
  const startedAt = performance.now();
  await toy.publish("alone");
  await eventually(() => all().length === 2);
  expect(performance.now() - startedAt).toBeLessThan(250);
});

test("what arrives during a batch is the next batch", async () => {
  const toy = await openToy();
  const { handle, batches } = recorder();
  const first = gate();
  const consumer = toy.start({
    async handle(texts) {
      await handle(texts);
      if (batches.length === 1) await first.opened;
    },
  });
  await toy.publish("one");
  await eventually(() => batches.length === 1);
  await toy.publish(...Array.from({ length: 100 }, (_, i) => `later ${i}`));
  await eventually(() => consumer.deliveries.length === 101);
  first.open();
  await eventually(() => toy.isDone());
  expect(batches.map((batch) => batch.length)).toEqual([1, 100]);
});

test("no batch is larger than sixteen requests, and no message is missed", async () => {
  const toy = await openToy();
  const { handle, batches, all } = recorder();
  const texts = Array.from({ length: 500 }, (_, i) => `m${i}`);
  await toy.publish(...texts);
  toy.start({ handle, batch: 10 });
  await eventually(() => toy.isDone());
  expect(Math.max(...batches.map((batch) => batch.length))).toBeLessThanOrEqual(160);
  expect(all().sort()).toEqual(texts.sort());
});

test("nothing is acked before its effects are stored", async () => {
  const toy = await openToy();
  const stored = gate();
  const consumer = toy.start({ handle: () => stored.opened });
  await toy.publish("a", "b");
  await eventually(() => consumer.deliveries.length === 2);
  expect(await toy.figures()).toMatchObject({ ackPending: 2, acked: 0 });
  stored.open();
  await eventually(() => toy.isDone());
});

test("a message without effect is acked with its batch and counted", async () => {
  const toy = await openToy();
  const counts: number[] = [];
  toy.start({
    decode: ({ data }) => (data.length > 1 ? null : "short"),
    handle: async (texts, { empty }) => {
      counts.push(texts.length, empty);
    },
  });
  await toy.publish("a", "long", "longer");
  await eventually(() => toy.isDone());
  const sum = (from: number) => counts.filter((_, i) => i % 2 === from).reduce((a, b) => a + b, 0);
  expect([sum(0), sum(1)]).toEqual([1, 2]);
});

test("work longer than ack_wait brings no redelivery", async () => {
  const toy = await openToy({ EXPERIENCE_ACK_WAIT_SECONDS: "3" });
  const slow = gate();
  const consumer = toy.start({ handle: () => slow.opened, batch: 1 });
  await toy.publish("taken", "waiting");
  await toy.keptAlive(7);
  slow.open();
  await eventually(() => toy.isDone());
  expect(redeliveries(consumer)).toBe(0);
  expect((await toy.figures()).redelivered).toBe(0);
});

test("an outage holds the consumer, keeps what it has alive past ack_wait, and ends by itself", async () => {
  const toy = await openToy({ EXPERIENCE_ACK_WAIT_SECONDS: "3" });
  const { handle, all } = recorder();
  let away = true;
  const consumer = toy.start({
    async handle(texts) {
      if (away) throw outage();
      await handle(texts);
    },
  });
  await toy.publish("a", "b");
  await eventually(() => consumer.state().status === "paused");
  expect(consumer.state().problem).toBe("the toy box is locked");
  await toy.keptAlive(7);
  away = false;
  await eventually(() => toy.isDone());
  expect(all().sort()).toEqual(["a", "b"]);
  expect(redeliveries(consumer)).toBe(0);
  expect(consumer.state()).toEqual({ status: "running", problem: null });
});

test("an outage ends when the work succeeds, even while a repair hears nothing", async () => {
  const toy = await openToy();
  let tries = 0;
  const consumer = toy.start({
    async handle() {
      tries += 1;
      if (tries < 3) throw outage();
    },
    repair: () => new Promise(() => undefined),
  });
  await toy.publish("one");
  await eventually(() => toy.isDone());
  expect(consumer.state()).toEqual({ status: "running", problem: null });
});

test("in an outage no more is pulled than there is room for", async () => {
  const toy = await openToy();
  let probes = 0;
  toy.start({
    batch: 5,
    async handle() {
      probes++;
      throw outage();
    },
  });
  await toy.publish(...Array.from({ length: 200 }, (_, i) => `m${i}`));
  await eventually(() => probes > 3);
  expect((await toy.figures()).ackPending).toBeLessThanOrEqual(30);
});

test("an outage of any length counts as no attempt and makes no dead letter", async () => {
  const toy = await openToy();
  let failures = 0;
  const { handle, all } = recorder();
  toy.start({
    maxDeliver: 1,
    async handle(texts) {
      if (++failures <= 4) throw failures % 2 ? outage() : new BusError("timeout", "too slow");
      await handle(texts);
    },
  });
  await toy.publish("patient");
  await eventually(() => toy.isDone());
  expect(all()).toEqual(["patient"]);
  expect(await toy.deadLetters()).toEqual([]);
});

test("a refused batch is handled one by one, so that the good ones are not held up", async () => {
  const toy = await openToy();
  const { handle, all } = recorder();
  toy.start({
    maxDeliver: 1,
    async handle(texts) {
      if (texts.includes("bad")) throw refusal();
      await handle(texts);
    },
  });
  await toy.publish("good", "bad", "fine");
  await eventually(() => toy.isDone());
  expect(all().sort()).toEqual(["fine", "good"]);
  expect(await toy.deadLetters()).toEqual([["bad_request", "the toy is broken", "1", "bad"]]);
});

test("a refused message is tried again after a pause, and dead after so many attempts", async () => {
  const toy = await openToy();
  const times: number[] = [];
  const consumer = toy.start({
    maxDeliver: 2,
    async handle() {
      times.push(performance.now());
      throw refusal();
    },
  });
  await toy.publish("bad");
  await eventually(async () => (await toy.deadLetters()).length === 1);
  await eventually(() => toy.isDone());
  expect(await toy.deadLetters()).toEqual([["bad_request", "the toy is broken", "2", "bad"]]);
  expect(redeliveries(consumer)).toBe(1);
  expect(Number(times.at(-1)) - Number(times[0])).toBeGreaterThan(450);
});

test("a message that is refused once and then accepted is no dead letter", async () => {
  const toy = await openToy();
  const { handle, all } = recorder();
  let refusals = 2;
  toy.start({
    async handle(texts) {
      if (refusals-- > 0) throw refusal();
      await handle(texts);
    },
  });
  await toy.publish("moody");
  await eventually(() => all().length === 1);
  await eventually(() => toy.isDone());
  expect(await toy.deadLetters()).toEqual([]);
});

test("an invalid message is dead at once, and its neighbours are handled together", async () => {
  const toy = await openToy();
  const { handle, all } = recorder();
  toy.start({
    handle,
    decode({ data }) {
      const text = Buffer.from(data).toString();
      if (text === "invalid") throw new BusError("bad_request", "unreadable");
      return text;
    },
  });
  await toy.publish("a", "invalid", "b");
  await eventually(() => toy.isDone());
  expect(all().sort()).toEqual(["a", "b"]);
  expect(await toy.deadLetters()).toEqual([["bad_request", "unreadable", "0", "invalid"]]);
});

for (const [where, options] of [
  ["handling", { handle: () => Promise.reject(new TypeError("a bug")) }],
  [
    "decoding",
    {
      handle: () => Promise.resolve(),
      decode: () => {
        throw new TypeError("a bug");
      },
    },
  ],
] as const) {
  test(`a bug in ${where} ends the process, and acks nothing`, async () => {
    const toy = await openToy();
    const consumer = toy.start(options);
    await toy.publish("a");
    await eventually(() => consumer.fatal.length > 0);
    expect(consumer.fatal).toEqual([new TypeError("a bug")]);
    expect(await toy.figures()).toMatchObject({ ackPending: 1, acked: 0 });
    expect(await toy.deadLetters()).toEqual([]);
  });
}

test("a message delivered for the third time is handled alone, its start noted", async () => {
  const toy = await openToy();
  const { handle, batches } = recorder();
  await toy.publish("suspect");
  await redeliver(toy, 2);
  const noted: unknown[] = [];
  const { created } = await toy.broker.jsm.streams.info("TOY");
  const identity = { identity: `${created}:1` } as Delivery;
  toy.start({
    async handle(texts) {
      noted.push(await toy.attempts.read(identity));
      await handle(texts);
    },
  });
  await toy.publish("a", "b");
  await eventually(() => toy.isDone());
  expect(batches.filter((batch) => batch.includes("suspect"))).toEqual([["suspect"]]);
  expect(noted).toContainEqual(expect.objectContaining({ started: 1 }));
  expect(await toy.attempts.read(identity)).toMatchObject({ started: 0 });
});

test("a message whose starts never ended is a crash loop", async () => {
  const toy = await openToy();
  const { handle, all } = recorder();
  await toy.publish("killer");
  await redeliver(toy, 2);
  const { created } = await toy.broker.jsm.streams.info("TOY");
  for (let i = 0; i < 3; i++)
    await toy.attempts.start({ identity: `${created}:1` } as Delivery, `${i}`);
  toy.start({ handle, maxDeliver: 3 });
  await eventually(() => toy.isDone());
  expect(all()).toEqual([]);
  expect(await toy.deadLetters()).toEqual([["crash_loop", "crash_loop", "3", "killer"]]);
});

test("a stop finishes and acks what is in hand", async () => {
  const toy = await openToy();
  const work = gate();
  const consumer = toy.start({ handle: () => work.opened });
  await toy.publish("in hand");
  await eventually(() => consumer.deliveries.length === 1);
  const stopped = consumer.stop(5_000);
  work.open();
  await stopped;
  await eventually(() => toy.isDone());
});

test("nothing is delivered to a consumer that has stopped", async () => {
  const toy = await openToy();
  const consumer = toy.start({ handle: () => Promise.resolve() });
  await toy.publish("before");
  await eventually(() => toy.isDone());
  await consumer.stop(1_000);
  await toy.publish("after");
  // The number of pending messages follows a publication with a delay.
  await eventually(async () => (await toy.figures()).pending === 1);
  expect((await toy.figures()).ackPending).toBe(0);
});

test("a stop in an outage hands everything back at once", async () => {
  const toy = await openToy();
  // Until all have arrived: an outage asks for no more, and the first may come by itself.
  const arrived = gate();
  const handle = () => arrived.opened.then(() => Promise.reject(outage()));
  const consumer = toy.start({ handle, batch: 2 });
  await toy.publish("a", "b", "c", "d", "e");
  await eventually(() => consumer.deliveries.length === 5);
  arrived.open();
  await eventually(() => consumer.state().status === "paused");
  const startedAt = performance.now();
  await consumer.stop(5_000);
  expect(performance.now() - startedAt).toBeLessThan(1_000);
  const told = consumer.log.find(({ msg }) => msg.startsWith("unfinished"));
  expect(told).toMatchObject({ messages: 5, outage: expect.any(String) });
  const later = recorder();
  toy.start({ handle: later.handle });
  await eventually(() => toy.isDone());
  expect(new Set(later.all())).toEqual(new Set(["a", "b", "c", "d", "e"]));
});

test("a stop whose work falls into an outage gives up at the deadline", async () => {
  const toy = await openToy();
  const work = gate();
  const consumer = toy.start({ handle: () => work.opened.then(() => Promise.reject(outage())) });
  await toy.publish("a");
  await eventually(() => consumer.deliveries.length === 1);
  const startedAt = performance.now();
  const stopped = consumer.stop(500);
  work.open();
  await stopped;
  expect(performance.now() - startedAt).toBeLessThan(2_000);
  await toy.start({ handle: () => Promise.resolve() });
  await eventually(() => toy.isDone());
});

test("a durable that is deleted is made again, and nothing is missed", async () => {
  const toy = await openToy();
  const { handle, all } = recorder();
  const consumer = toy.start({ handle });
  await toy.publish("before");
  await eventually(() => toy.isDone());
  await toy.broker.jsm.consumers.delete("TOY", "player");
  await toy.publish("after");
  await eventually(() => all().includes("after"));
  await eventually(() => toy.isDone());
  expect(consumer.fatal).toEqual([]);
});

test("a stream that is deleted and made again is read from its beginning", async () => {
  const toy = await openToy();
  const { handle, all } = recorder();
  const identities: string[] = [];
  toy.start({
    handle,
    decode({ identity, data }) {
      identities.push(identity);
      return Buffer.from(data).toString();
    },
  });
  await toy.publish("before");
  await eventually(() => toy.isDone());
  await toy.broker.jsm.streams.delete("TOY");
  await eventually(() =>
    toy.publish("after").then(
      () => true,
      () => false,
    ),
  );
  await eventually(() => all().includes("after"));
  expect(new Set(identities).size).toBe(2);
});

test("a broker that is killed and comes back is pulled from again", async () => {
  const toy = await openToy();
  const { handle, all } = recorder();
  const consumer = toy.start({ handle });
  await toy.publish("before");
  await eventually(() => all().includes("before"));
  await toy.broker.kill();
  await toy.broker.restart();
  await toy.publish("after");
  await eventually(() => all().includes("after"), 10_000);
  expect(consumer.fatal).toEqual([]);
});

test("a broker that was frozen is pulled from again", async () => {
  const toy = await openToy();
  const { handle, all } = recorder();
  const consumer = toy.start({ handle });
  await toy.publish("before");
  await eventually(() => all().includes("before"));
  toy.broker.freeze();
  await eventually(() => consumer.state().problem !== null, 10_000);
  toy.broker.thaw();
  await toy.publish("after");
  await eventually(() => all().includes("after"), 10_000);
  await eventually(() => consumer.state().problem === null);
});

test("what one replica keeps alive is not given to another", async () => {
  const toy = await openToy({ EXPERIENCE_ACK_WAIT_SECONDS: "3" });
  const work = gate();
  const first = toy.start({ handle: () => work.opened });
  await toy.publish("mine");
  await eventually(() => first.deliveries.length === 1);
  const second = toy.start({ handle: () => Promise.resolve() });
  await toy.keptAlive(7);
  expect(second.deliveries).toEqual([]);
  work.open();
  await eventually(() => toy.isDone());
});

test("consumers that stop under load, one after another, leave nothing that is delivered again", async () => {
  const toy = await openToy();
  const { nc, jsm } = toy.broker;
  const load = new AbortController();
  const publishing = (async () => {
    while (!load.signal.aborted) {
      for (let i = 0; i < 20; i++) nc.publish("toy.box", "message");
      await nc.flush();
    }
  })();
  const start = () => toy.start({ handle: () => Promise.resolve(), batch: 64 });
  let current = start();
  for (let stops = 0; stops < 300; stops++) {
    const next = start();
    await eventually(() => next.deliveries.length > 50);
    await current.stop(6_000);
    current = next;
  }
  load.abort();
  await publishing;
  await eventually(() => toy.isDone());
  const { delivered } = await jsm.consumers.info("TOY", "player");
  expect(delivered.consumer_seq - delivered.stream_seq).toBe(0);
}, 120_000);
