import { expect, test } from "vitest";
import { BusError } from "../../src/errors.ts";
import { skipped } from "../../src/runtime/consumer.ts";
import { eventually } from "../rig/eventually.ts";
import { openToy, redeliver } from "./toy.ts";

test("a suspect that is done with already is skipped, and acked", async () => {
  const toy = await openToy();
  await toy.publish("stored");
  await redeliver(toy, 2);
  const seen: unknown[] = [];
  toy.start({
    decode: () => skipped,
    async handle(texts, { isolated, ...counts }) {
      seen.push({ texts, ...counts, isolated: isolated !== undefined });
    },
  });
  await eventually(() => toy.isDone());
  expect(seen).toEqual([{ texts: [], empty: 0, skipped: 1, isolated: false }]);
  expect(await toy.deadLetters()).toEqual([]);
});

test("a suspect that cannot be decoded is told of, and a dead letter with its reason", async () => {
  const toy = await openToy();
  await toy.publish("garbled");
  await redeliver(toy, 2);
  let invalid = 0;
  toy.start({
    decode() {
      throw new BusError("bad_request", "not readable");
    },
    onInvalid: () => invalid++,
    handle: () => Promise.reject(new TypeError("never called")),
  });
  await eventually(() => toy.isDone());
  expect(invalid).toBe(1);
  expect(await toy.deadLetters()).toEqual([["bad_request", "not readable", "0", "garbled"]]);
});
