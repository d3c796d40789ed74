import { expect, test } from "vitest";
import { openTurns } from "../../../src/handlers/ingest/turns.ts";

/** Work that ends when it is told to. */
function job() {
  let end: () => void = () => undefined;
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  return { end, work: () => ended };
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

test("more than may be worked on at once waits, and begins in its order when others end", async () => {
  const inTurn = openTurns({ atOnce: 2, mostWaiting: 10, longestMs: 60_000 });
  const begun: number[] = [];
  const jobs = [1, 2, 3, 4].map((number) => ({ number, ...job() }));
  const all = jobs.map(({ number, work }) =>
    inTurn(() => {
      begun.push(number);
      return work();
    }),
  );
  await settled();
  expect(begun).toEqual([1, 2]);
  jobs[1]?.end();
  await settled();
  expect(begun).toEqual([1, 2, 3]);
  for (const { end } of jobs) end();
  await Promise.all(all);
  expect(begun).toEqual([1, 2, 3, 4]);
});

test("where too many wait, or one waits too long, it is busy; a failure gives its turn on", async () => {
  const inTurn = openTurns({ atOnce: 1, mostWaiting: 1, longestMs: 20 });
  const first = job();
  const working = inTurn(first.work);
  const waiting = inTurn(async () => "late");
  await expect(inTurn(async () => "too many")).rejects.toMatchObject({ code: "busy" });
  await expect(waiting).rejects.toMatchObject({ code: "busy" });
  first.end();
  await working;
  const failing = inTurn(() => Promise.reject(new Error("wrong")));
  await expect(failing).rejects.toThrow("wrong");
  expect(await inTurn(async () => "next")).toBe("next");
});
