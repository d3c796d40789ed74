import { expect, test } from "vitest";
import { coinKeyOf, coinOf as coinUnder, isAttached } from "../../../src/handlers/lessons/coin.ts";

const coinOf = (key: string, ...rest: [string, string, string]) =>
  coinUnder(coinKeyOf(key), ...rest);

test("falls alike each time, and otherwise for another key, tenant, run or lesson", () => {
  const coin = coinOf("key", "tenant", "run", "lesson");
  expect(coinOf("key", "tenant", "run", "lesson")).toBe(coin);
  const others = [
    coinOf("kex", "tenant", "run", "lesson"),
    coinOf("key", "tenanu", "run", "lesson"),
    coinOf("key", "tenant", "ruo", "lesson"),
    coinOf("key", "tenant", "run", "lessoo"),
    // No two names run together.
    coinOf("key", "tenantr", "un", "lesson"),
  ];
  expect(new Set([coin, ...others]).size).toBe(6);
});

test.each([0.1, 0.5, 0.9])("attaches a share of %d, within four standard errors", (share) => {
  const runs = 20_000;
  let attached = 0;
  for (let run = 0; run < runs; run++) {
    if (isAttached(coinOf("key", "default", `run-${run}`, "lesson"), share)) attached++;
  }
  const error = Math.sqrt((share * (1 - share)) / runs);
  expect(Math.abs(attached / runs - share)).toBeLessThan(4 * error);
});

test("coins of two lessons in one run know nothing of each other", () => {
  const runs = 20_000;
  let both = 0;
  for (let run = 0; run < runs; run++) {
    const [a, b] = ["a", "b"].map((one) =>
      isAttached(coinOf("key", "default", `${run}`, one), 0.5),
    );
    if (a && b) both++;
  }
  expect(Math.abs(both / runs - 0.25)).toBeLessThan(4 * Math.sqrt((0.25 * 0.75) / runs));
});

test("a share of 1 attaches always, and 0 never", () => {
  for (let run = 0; run < 1_000; run++) {
    const coin = coinOf("key", "default", `${run}`, "lesson");
    expect([isAttached(coin, 1), isAttached(coin, 0)]).toEqual([true, false]);
  }
});
