import { nanos } from "@nats-io/transport-node";
import { describe, expect, test } from "vitest";
import { jetStreamBuilder } from "../../../src/nats/desired-state.ts";
import type { BaseSettings } from "../../../src/settings/base.ts";

const second = 1_000;
const day = 86_400 * second;
const builderOf = (some: Partial<BaseSettings> = {}) =>
  jetStreamBuilder({
    ...{ replicas: 1, maxBytes: null, maxAgeDays: null, fetchBatch: 256 },
    ...{ fetchTimeoutSeconds: 1, ackWaitSeconds: 30, ...some },
  } as BaseSettings);

describe("streams that the service creates", () => {
  test("forget at last, so that no disk fills up for ever", () => {
    const [source, output] = [builderOf().source("S", "s.>"), builderOf().output("O", ["o"])];
    expect(source.stream).toMatchObject({ max_age: nanos(7 * day), max_bytes: 9_500_000_000 });
    expect(output.stream).toMatchObject({ max_age: nanos(30 * day), max_bytes: 950_000_000 });
  });

  test("keep as much, and for as long, as the settings say", () => {
    const set = builderOf({ maxBytes: 5, maxAgeDays: 2 });
    const wanted = { max_age: nanos(2 * day), max_bytes: 5 };
    expect(set.source("S", "s.>").stream).toMatchObject(wanted);
    expect(set.output("O", ["o"]).stream).toMatchObject(wanted);
    expect(set.bucket("b", second, {}).stream).toMatchObject({
      max_age: nanos(second),
      max_bytes: 5,
    });
  });

  test("are given a subject that came later unless they have it", () => {
    const { stream, added } = builderOf().output("O", ["o.>"], { added: ["o.new", "p.new"] });
    expect(stream.subjects).toEqual(["o.>", "p.new"]);
    expect(added).toEqual(["o.new", "p.new"]);
  });

  test("remember ids in a bucket for no longer than it keeps a value", () => {
    const windowOf = (ttlMs: number) => builderOf().bucket("b", ttlMs, {}).stream.duplicate_window;
    expect(windowOf(second)).toBe(nanos(second));
    expect(windowOf(day)).toBe(nanos(120 * second));
  });
});

describe("durables", () => {
  const read = { name: "d", description: "reads" };

  test("have room for sixteen replicas with batches that have grown", () => {
    const pending = (fetchBatch: number) => {
      const build = builderOf({ fetchBatch });
      return build.durable(build.source("S", "s.>"), read).config.max_ack_pending;
    };
    expect(pending(1)).toBe(200_000);
    expect(pending(1_000)).toBe(768_000);
  });

  test("of a stream that the service runs without may be too small", () => {
    const build = builderOf();
    const least = (optional: boolean) =>
      build.durable(build.source("S", "s.>", { optional }), read).rooms.max_batch?.breaksBelow;
    expect([least(false), least(true)]).toEqual([256, 0]);
  });

  test("that are read in order need no redelivery", () => {
    const build = builderOf();
    const source = build.source("S", "s.>");
    const ackWait = (inOrder: boolean) =>
      build.durable(source, { ...read, inOrder }).config.ack_wait;
    expect([ackWait(false), ackWait(true)]).toEqual([nanos(30 * second), nanos(600 * second)]);
  });
});
