import { expect, test } from "vitest";
import type { CountReader } from "../../../src/handlers/console/reader.ts";
import { shareReads } from "../../../src/handlers/console/shared-reads.ts";

const range = { since: 0, until: 3_600_000, stepSeconds: 60, countedSeconds: 60 };
const whole = { tenantId: "t", agentId: null, taskType: null };

/** A reader that answers each question with how many it has been asked, at a time that the test sets. */
function counted(fails: () => boolean = () => false) {
  let asked = 0;
  const answer = async () => {
    asked++;
    if (fails()) throw new Error("no answer");
    return asked as never;
  };
  const reader: CountReader = { series: answer, agents: answer, known: answer };
  const clock = { ms: 1_000 };
  return { clock, asked: () => asked, shared: shareReads(reader, () => clock.ms) };
}

test("who asks for the same within half a second is told the same, and later something newer", async () => {
  const { clock, shared } = counted();
  const both = await Promise.all([shared.series(whole, range), shared.series({ ...whole }, range)]);
  clock.ms += 499;
  expect([...both, await shared.series(whole, range)]).toEqual([1, 1, 1]);
  clock.ms += 1;
  expect(await shared.series(whole, range)).toBe(2);
  clock.ms += 499;
  expect(await shared.series(whole, range)).toBe(2);
});

test("nobody is told of another tenant, agent, task, time or number of agents", async () => {
  const { shared, asked } = counted();
  const most = { limit: 50, parts: 24 };
  const questions = [
    () => shared.series(whole, range),
    () => shared.series({ ...whole, tenantId: "u" }, range),
    () => shared.series({ ...whole, agentId: "t" }, range),
    () => shared.series({ ...whole, taskType: "t" }, range),
    () => shared.series(whole, { ...range, since: 60_000 }),
    () => shared.agents("t", range, most),
    () => shared.agents("u", range, most),
    () => shared.agents("t", range, { ...most, limit: 200 }),
    () => shared.known("t"),
    () => shared.known("u"),
  ];
  for (const ask of [...questions, ...questions]) await ask();
  expect(asked()).toBe(questions.length);
});

test("what fails is told to those who wait for it, and asked again by the next", async () => {
  let isDown = true;
  const { shared, asked } = counted(() => isDown);
  const both = await Promise.allSettled([shared.known("t"), shared.known("t")]);
  expect(both.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
  isDown = false;
  expect(await shared.known("t")).toBe(2);
  expect(asked()).toBe(2);
});

test("of many different questions few answers are kept", async () => {
  const { shared, asked } = counted();
  for (const round of [1, 2]) {
    for (let i = 0; i < 60; i++) await shared.known(`${i}`);
    expect(asked()).toBe(round === 1 ? 60 : 70);
  }
});
