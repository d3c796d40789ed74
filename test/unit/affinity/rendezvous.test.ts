import fc from "fast-check";
import { expect, test } from "vitest";
import { ownerOf } from "../../../src/runtime/affinity/rendezvous.ts";

const members = fc.uniqueArray(fc.string({ minLength: 1, maxLength: 22 }), {
  minLength: 1,
  maxLength: 8,
});
const keys = fc.array(fc.string({ maxLength: 40 }), { maxLength: 30 });

test("everybody who knows the same members, in any order, names the same owner", () => {
  fc.assert(
    fc.property(members, keys, fc.nat(), (all, some, turn) => {
      const shift = turn % all.length;
      const turned = [...all.slice(shift), ...all.slice(0, shift)].reverse();
      for (const key of some) expect(ownerOf(key, turned)).toBe(ownerOf(key, all));
    }),
  );
});

test("a member that leaves moves its own keys only", () => {
  fc.assert(
    fc.property(members, keys, fc.nat(), (all, some, pick) => {
      const gone = all[pick % all.length];
      const left = all.filter((one) => one !== gone);
      for (const key of some) {
        const before = ownerOf(key, all);
        const after = ownerOf(key, left);
        if (before !== gone) expect(after).toBe(before);
        else if (left.length > 0) expect(left).toContain(after);
      }
    }),
  );
});

test("four members with names as they are get about a quarter of a hundred agents each", () => {
  const all = ["HRZ0", "HRZ1", "HRZ2", "HRZ3"].map((end) => `WX8K2Q0M3N5P7R9T1V${end}`);
  const counts = new Map<string | undefined, number>();
  for (let i = 0; i < 10_000; i++) {
    const owner = ownerOf(`default\0agent-${i}`, all);
    counts.set(owner, (counts.get(owner) ?? 0) + 1);
  }
  expect(counts.size).toBe(4);
  for (const count of counts.values()) {
    expect(count).toBeGreaterThan(2_300);
    expect(count).toBeLessThan(2_700);
  }
});

test("without members there is no owner", () => {
  expect(ownerOf("key", [])).toBeUndefined();
});
