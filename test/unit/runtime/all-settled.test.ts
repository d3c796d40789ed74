import { expect, test } from "vitest";
import { eachSettled } from "../../../src/runtime/all-settled.ts";

/** Work whose end the test decides: `end` takes the item's result, or an error. */
function underControl() {
  const begun: number[] = [];
  const ends = new Map<number, (outcome: string | Error) => void>();
  const work = (item: number) =>
    new Promise<string>((resolve, reject) => {
      begun.push(item);
      ends.set(item, (outcome) => (outcome instanceof Error ? reject(outcome) : resolve(outcome)));
    });
  return { begun, work, end: (item: number, outcome: string | Error) => ends.get(item)?.(outcome) };
}

const turn = () => new Promise(setImmediate);

test("no more than so many are under way, and results are in the items' order", async () => {
  const { begun, work, end } = underControl();
  const all = eachSettled([0, 1, 2, 3], 2, work);
  await turn();
  expect(begun).toEqual([0, 1]);
  end(1, "one");
  await turn();
  expect(begun).toEqual([0, 1, 2]);
  for (const item of [0, 2]) end(item, `${item}`);
  await turn();
  end(3, "3");
  expect(await all).toEqual(["0", "one", "2", "3"]);
});

test("after a failure none is begun, and it rejects once those under way have ended", async () => {
  const { begun, work, end } = underControl();
  let isOver = false;
  const all = eachSettled([0, 1, 2, 3], 2, work).finally(() => {
    isOver = true;
  });
  await turn();
  end(0, new Error("refused"));
  await turn();
  expect([begun, isOver]).toEqual([[0, 1], false]);
  end(1, "one");
  await expect(all).rejects.toThrow("refused");
  expect(begun).toEqual([0, 1]);
});

test("nothing to do is done", async () => {
  expect(await eachSettled([], 2, async () => "never")).toEqual([]);
});
