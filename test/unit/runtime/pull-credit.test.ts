import { expect, test } from "vitest";
import { createCredit } from "../../../src/runtime/pull-credit.ts";

const request = 256;

/** All that was asked for is there whenever a batch is taken. */
function busy(grows = true) {
  const credit = createCredit(request, grows);
  return { credit, take: () => credit.taken(credit.batch(), credit.room() - credit.batch()) };
}

test("credit doubles while all of it is used, up to sixteen requests a batch", () => {
  const { credit, take } = busy();
  const batches = Array.from({ length: 8 }, () => {
    take();
    return credit.batch();
  });
  expect(batches).toEqual([512, 1_024, 2_048, 4_096, 4_096, 4_096, 4_096, 4_096]);
});

test("credit that lies idle is halved, down to two requests", () => {
  const { credit, take } = busy();
  for (let i = 0; i < 5; i++) take();
  for (let i = 0; i < 10; i++) credit.taken(1, 0);
  expect(credit.room()).toBe(2 * request);
});

test("without growth it stays at two requests", () => {
  const { credit, take } = busy(false);
  take();
  expect(credit.room()).toBe(2 * request);
});

test("large messages limit a batch to 8 MiB", () => {
  const { credit, take } = busy();
  for (let i = 0; i < 5; i++) take();
  credit.arrived(16_384);
  expect(credit.batch()).toBe(512);
});

test("sixteen replicas can hold their credit within max_ack_pending", () => {
  const { credit, take } = busy();
  for (let i = 0; i < 5; i++) take();
  credit.limitTo(16 * 1_024);
  expect(credit.room()).toBe(1_024);
});
