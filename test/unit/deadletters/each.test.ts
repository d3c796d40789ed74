import { expect, test } from "vitest";
import { forEach } from "../../../src/handlers/deadletters/each.ts";
import type { KeptLetter } from "../../../src/runtime/dead-letter-message.ts";

const letter = (id: string) => ({ letter: { id }, sequence: Number(id) }) as KeptLetter;

/** Notes up to where it is looked through, and grows with every look. */
function archiveOf(ids: readonly string[]) {
  let last = ids.length;
  const scans: { from: number; upTo: number }[] = [];
  return {
    scans,
    get: async (id: string) => (ids.includes(id) ? letter(id) : null),
    lastSequence: async () => last++,
    async *scan(_: object, from: number, upTo: number) {
      scans.push({ from, upTo });
      for (const id of ids.slice(from - 1, upTo)) {
        yield { letters: [letter(id)], next: Number(id) + 1 };
      }
    },
  };
}

test("one that is named is looked up, and nothing else is", async () => {
  const archive = archiveOf(["1", "2"]);
  const done: string[] = [];
  const work = async (kept: KeptLetter) => void done.push(kept.letter.id);
  const found = await forEach({ id: 2 }, {}, work, archive);
  expect([found, done, archive.scans]).toEqual([{ matched: 1, cursor: null }, ["2"], []]);
  await expect(forEach({ id: "9" }, {}, work, archive)).rejects.toMatchObject({
    code: "not_found",
  });
});

test("all are looked through up to where the end was at first", async () => {
  const archive = archiveOf(["1", "2", "3"]);
  const { matched, cursor } = await forEach({}, {}, async () => undefined, archive);
  expect([matched, cursor]).toEqual([3, null]);
  expect(archive.scans).toEqual([{ from: 1, upTo: 3 }]);
});
