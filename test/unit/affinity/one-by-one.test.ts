import { expect, test } from "vitest";
import { BusError } from "../../../src/errors.ts";
import { oneByOne } from "../../../src/runtime/affinity/one-by-one.ts";

/** Each batch waits until it is let go. */
function open(mostTogether = 100) {
  const batches: { items: readonly string[]; go: (error?: unknown) => void }[] = [];
  const work = oneByOne<string>(
    (items) =>
      new Promise((resolve, reject) => {
        batches.push({ items, go: (error) => (error ? reject(error) : resolve()) });
      }),
    mostTogether,
  );
  const go = async (error?: unknown) => {
    batches.at(-1)?.go(error);
    await new Promise(setImmediate);
  };
  return { work, batches, go, handled: () => batches.map(({ items }) => items.join("")) };
}

test("what comes while something is being handled is handled together, afterwards", async () => {
  const { work, go, handled } = open();
  const done = ["a", "b", "c"].map((item) => work.together([item]));
  expect(handled()).toEqual(["a"]);
  await go();
  expect(handled()).toEqual(["a", "bc"]);
  await go();
  await Promise.all(done);
  await work.idle();
});

test("what is to be handled alone is, in its turn", async () => {
  const { work, go, handled } = open();
  void work.together(["a"]);
  void work.together(["b"]);
  void work.alone(["x"]);
  void work.together(["c"]);
  for (let i = 0; i < 4; i++) await go();
  expect(handled()).toEqual(["a", "b", "x", "c"]);
});

test("no more are handled together than may be", async () => {
  const { work, go, handled } = open(2);
  for (const item of ["a", "b", "c", "d"]) void work.together([item]);
  for (let i = 0; i < 3; i++) await go();
  expect(handled()).toEqual(["a", "bc", "d"]);
});

test("one that is refused does not have the others refused", async () => {
  const { work, go, handled } = open();
  void work.together(["a"]);
  const good = work.together(["b"]);
  const bad = work.together(["c"]).catch((error: unknown) => error);
  await go();
  await go(new BusError("bad_request", "no"));
  await go();
  await go(new BusError("bad_request", "no"));
  expect(handled()).toEqual(["a", "bc", "b", "c"]);
  await good;
  expect(await bad).toMatchObject({ code: "bad_request" });
});

test("an outage is everybody's", async () => {
  const { work, go } = open();
  void work.together(["a"]);
  const both = Promise.allSettled([work.together(["b"]), work.together(["c"])]);
  await go();
  await go(new BusError("unavailable", "away"));
  expect((await both).map(({ status }) => status)).toEqual(["rejected", "rejected"]);
});
