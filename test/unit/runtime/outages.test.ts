import { pino } from "pino";
import { expect, test } from "vitest";
import { BusError } from "../../../src/errors.ts";
import { createOutages, Stopped } from "../../../src/runtime/outages.ts";

const away = new BusError("unavailable", "NATS is away");

function create(repair: () => Promise<void> = async () => undefined) {
  const controller = new AbortController();
  const seen: string[] = [];
  const outages = createOutages({
    repair,
    onPaused: () => seen.push("paused"),
    onResumed: () => seen.push("resumed"),
    signal: controller.signal,
    log: pino({ level: "silent" }),
  });
  return { outages, seen, stop: () => controller.abort() };
}

/** Fails so many times before it works. */
function failing(times: number) {
  let calls = 0;
  return async () => {
    if (calls++ < times) throw away;
    return calls;
  };
}

test("work is retried until the outage is over, and says so meanwhile", async () => {
  const { outages, seen } = create();
  const problems: (string | null)[] = [];
  const work = failing(2);
  const result = await outages.retryUntilAvailable(async () => {
    problems.push(outages.problem());
    return await work();
  });
  expect(result).toBe(3);
  expect(problems).toEqual([null, "NATS is away", "NATS is away"]);
  expect(seen).toEqual(["paused", "paused", "resumed"]);
  expect(outages.problem()).toBeNull();
});

test("what is missing is recreated between attempts, and a failing repair ends nothing", async () => {
  let repairs = 0;
  const { outages } = create(async () => {
    repairs++;
    throw new Error("not yet");
  });
  await outages.retryUntilAvailable(failing(2));
  expect(repairs).toBe(2);
});

test("a refusal and a bug are passed on at once", async () => {
  const { outages, seen } = create();
  const refusal = new BusError("bad_request", "no");
  await expect(outages.retryUntilAvailable(() => Promise.reject(refusal))).rejects.toBe(refusal);
  const bug = new TypeError("oops");
  await expect(outages.retryUntilAvailable(() => Promise.reject(bug))).rejects.toBe(bug);
  expect(seen).toEqual([]);
});

test("a stop ends work that a silent server keeps, and the wait for the next attempt", async () => {
  const silent = create();
  const kept = silent.outages.retryUntilAvailable(() => new Promise(() => undefined));
  silent.stop();
  await expect(kept).rejects.toBeInstanceOf(Stopped);

  const waiting = create();
  const retried = waiting.outages.retryUntilAvailable(async () => {
    queueMicrotask(waiting.stop);
    throw away;
  });
  await expect(retried).rejects.toBeInstanceOf(Stopped);
});
