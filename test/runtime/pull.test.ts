import { expect, test } from "vitest";
import { eventually } from "../rig/eventually.ts";
import { openToy } from "./toy.ts";

const lookedAgain = (log: readonly { msg: string }[]) =>
  log.filter(({ msg }) => msg === "reopening the consumer").length;

test("a process that stood still does not take NATS for silent", async () => {
  const toy = await openToy();
  const texts: string[] = [];
  const consumer = toy.start({
    handle: async (some) => {
      texts.push(...some);
    },
  });
  await toy.publish("before");
  await eventually(() => texts.length === 1);
  // As a long garbage collection or a machine without a free core does.
  const end = performance.now() + 2_600;
  while (performance.now() < end);
  await toy.publish("after");
  await eventually(() => texts.length === 2);
  expect(lookedAgain(consumer.log)).toBe(0);
});

test("a durable that refuses every request is not asked without a pause", async () => {
  const toy = await openToy();
  await toy.broker.jsm.consumers.update("TOY", "player", { max_batch: 1 });
  const consumer = toy.start({ handle: async () => undefined });
  await eventually(() => consumer.state().problem?.startsWith("409") ?? false);
  const [startedAt, before] = [performance.now(), lookedAgain(consumer.log)];
  await eventually(() => performance.now() - startedAt > 3_000);
  expect(lookedAgain(consumer.log) - before).toBeLessThan(30);
  // What is mended is found by itself.
  await toy.broker.jsm.consumers.update("TOY", "player", { max_batch: 1_000 });
  await toy.publish("at last");
  await eventually(toy.isDone);
});

test("batches grow while much waits, and nobody waits for one to fill", async () => {
  const toy = await openToy();
  const sizes: number[] = [];
  await toy.publish(...Array.from({ length: 6_000 }, (_, i) => `m${i}`));
  toy.start({
    handle: async (some) => {
      sizes.push(some.length);
      // As long as a round trip takes, in which more arrives.
      await toy.broker.nc.flush();
    },
  });
  await eventually(toy.isDone, 20_000);
  const first = sizes[0] ?? 0;
  expect(Math.max(...sizes)).toBeGreaterThan(first);
  await toy.publish("alone");
  await eventually(toy.isDone);
  expect(sizes.at(-1)).toBe(1);
});
