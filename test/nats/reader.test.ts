import { expect, onTestFinished, test } from "vitest";
import { readSince } from "../../src/nats/reader.ts";
import { startBroker } from "../rig/broker.ts";

test("batches grow where messages are small, stay as they are where these are large, and bring each once", async () => {
  const broker = await startBroker();
  onTestFinished(() => broker.remove());
  const { nc, js, jsm } = broker;
  await jsm.streams.add({ name: "PAST", subjects: ["past.>"] });
  const sizes = [...Array<number>(400).fill(10), ...Array<number>(150).fill(200_000)];
  for (const [i, size] of sizes.entries()) nc.publish("past.a", `${i} ${"x".repeat(size)}`);
  await nc.flush();
  const range = { subject: "past.>", since: 0, upTo: sizes.length };
  const read: string[][] = [];
  for await (const some of readSince(js, jsm, "PAST", range, 10, 100)) {
    read.push(some.map((message) => message.string().split(" ")[0] ?? ""));
  }
  expect(read.flat()).toEqual(sizes.map((_, i) => String(i)));
  const lengths = read.map(({ length }) => length);
  expect(lengths.slice(0, 3)).toEqual([10, 100, 100]);
  expect(lengths.at(-2)).toBeLessThan(30);
});
