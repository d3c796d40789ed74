import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type Coverage,
  covers,
  deeper,
  isOwed,
  neededFrom,
  noCoverage,
  replayFrom,
} from "../../../src/handlers/extractor/coverage.ts";

const minute = 60_000;
/** The defaults: TTL is twice the window. */
const settings = { windowMs: 30 * minute, ttlMs: 60 * minute, maxFutureMs: 5 * minute };
const now = 1_000_000 * minute;
const record = (from: number | null, at: number): Coverage => ({ ...noCoverage, from, at });

describe("the bucket covers an event", () => {
  test("not without a record, however recent the event", () => {
    expect(covers(noCoverage, now, now, settings)).toBe(false);
  });

  test("that happened now, however long ago the last rebuild was, with a TTL of two windows", () => {
    expect(covers(record(null, 0), now, now, settings)).toBe(true);
    expect(covers(record(now - 1_000 * minute, 0), now, now, settings)).toBe(true);
  });

  test("that waited in the stream while what belongs to it expired, not any more", () => {
    expect(covers(record(null, 0), now - 20 * minute, now, settings)).toBe(true);
    expect(covers(record(null, 0), now - 40 * minute, now, settings)).toBe(false);
    expect(covers(record(null, 0), now - 600 * minute, now, settings)).toBe(false);
  });

  test("of long ago, if a rebuild that reaches back far enough has just written everything", () => {
    const ts = now - 600 * minute;
    expect(covers(record(null, now - minute), ts, now, settings)).toBe(true);
    expect(covers(record(neededFrom(ts, settings), now - minute), ts, now, settings)).toBe(true);
    expect(covers(record(neededFrom(ts, settings) + 1, now), ts, now, settings)).toBe(false);
  });

  test("of long ago no more once what that rebuild wrote may be gone", () => {
    const ts = now - 600 * minute;
    expect(covers(record(null, now - 59 * minute), ts, now, settings)).toBe(false);
  });

  test("not if a rebuild after a wipe reaches back less than the event needs, however recent it is", () => {
    const rebuilt = record(neededFrom(now, settings), now);
    expect(covers(rebuilt, now, now, settings)).toBe(true);
    expect(covers(rebuilt, now - 10 * minute, now, settings)).toBe(false);
  });

  test("not by its age where clocks may be further ahead than the TTL leaves room for", () => {
    const far = { ...settings, maxFutureMs: 600 * minute };
    expect(covers(record(null, 0), now, now, far)).toBe(false);
    expect(covers(record(null, now - minute), now, now, far)).toBe(true);
  });
});

describe("what is read again", () => {
  const ts = now - 100 * minute;

  test("starts one window, and what clocks may be ahead, before the event", () => {
    expect(neededFrom(ts, settings)).toBe(ts - 35 * minute);
    expect(replayFrom(noCoverage, ts, now, settings)).toBe(ts - 35 * minute);
  });

  test("starts there, too, after what a former rebuild wrote has expired", () => {
    const expired = record(now - 50 * minute, now - settings.ttlMs);
    expect(replayFrom(expired, ts, now, settings)).toBe(neededFrom(ts, settings));
  });

  test("doubles what is covered, so that ever older events cause few reads", () => {
    const covered = record(now - 130 * minute, now);
    expect(replayFrom(covered, ts, now, settings)).toBe(now - 260 * minute);
  });

  test("never starts later than the event needs", () => {
    const times = fc.integer({ min: 0, max: now });
    const records = fc.record({ from: fc.option(times), at: times });
    fc.assert(
      fc.property(records, times, ({ from, at }, at2) => {
        const start = replayFrom(record(from, at), at2, now, settings);
        expect(start).toBeLessThanOrEqual(neededFrom(at2, settings));
      }),
    );
  });

  test("covers the event that it was read for", () => {
    const times = fc.integer({ min: 0, max: now });
    fc.assert(
      fc.property(times, times, (from, ts) => {
        const before = record(from, now - minute);
        const replayed = deeper(before, {
          ...before,
          from: replayFrom(before, ts, now, settings),
          at: now,
        });
        expect(covers(replayed, ts, now, settings)).toBe(true);
      }),
    );
  });
});

describe("of two records", () => {
  test("the later one stands, for documents of the earlier one expire sooner", () => {
    expect(deeper(record(null, 5), record(100, 6))).toEqual(record(100, 6));
  });

  test("the deeper one stands where both are as old, or the new one is older", () => {
    expect(deeper(record(100, 6), record(50, 6))).toEqual(record(50, 6));
    expect(deeper(record(50, 6), record(100, 6))).toEqual(record(50, 6));
    expect(deeper(record(100, 6), record(null, 6))).toEqual(record(null, 6));
    expect(deeper(record(100, 6), record(50, 5))).toEqual(record(50, 5));
  });
});

describe("what an older version was given is read again", () => {
  const second = 1_000;
  const read = record(now - 20 * minute, now);
  const isOwedAt = (coverage: Coverage, wroteAt: number, at: number) =>
    isOwed(coverage, wroteAt, at, settings);

  test("once it has been quiet for ten seconds, and once more after one window", () => {
    const wroteAt = now + minute;
    expect(isOwedAt(read, wroteAt, wroteAt + 9 * second)).toBe(false);
    expect(isOwedAt(read, wroteAt, wroteAt + 10 * second)).toBe(true);
    const once = { ...read, madeUpAt: wroteAt + 10 * second };
    expect(isOwedAt(once, wroteAt, wroteAt + 29 * minute)).toBe(false);
    expect(isOwedAt(once, wroteAt, wroteAt + 30 * minute)).toBe(true);
    const twice = { ...read, madeUpAt: wroteAt + 30 * minute };
    expect(isOwedAt(twice, wroteAt, wroteAt + 90 * minute)).toBe(false);
  });

  test("at most once a minute, and every five minutes while it writes without a pause", () => {
    const once = { ...read, madeUpAt: now + minute };
    const wroteAt = now + 1.5 * minute;
    expect(isOwedAt(once, wroteAt, wroteAt + 10 * second)).toBe(false);
    expect(isOwedAt(once, wroteAt, now + 2 * minute)).toBe(true);
    expect(isOwedAt(once, now + 5 * minute, now + 5 * minute)).toBe(false);
    expect(isOwedAt(once, now + 6 * minute, now + 6 * minute)).toBe(true);
  });

  test("once where it was all read for another reason, for a consumer made anew may have been given less by then", () => {
    expect(isOwedAt(read, now - 31 * minute, now + minute)).toBe(true);
    const made = { ...read, madeUpAt: now };
    expect(isOwedAt(made, now - 31 * minute, now + minute)).toBe(false);
  });

  test("not where the first events are about to have it read", () => {
    expect(isOwedAt(noCoverage, now, now + minute)).toBe(false);
  });

  test("which is remembered, whoever reads further back", () => {
    const made = { ...read, madeUpAt: now };
    expect(deeper(made, record(null, now + 1))).toEqual({
      ...record(null, now + 1),
      madeUpAt: now,
    });
    expect(deeper(read, made)).toEqual(made);
  });
});
