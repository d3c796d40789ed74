import { pino } from "pino";
import { expect, test } from "vitest";
import type { ExperienceEvent } from "../../../src/handlers/extractor/event.ts";
import { rulesFor } from "../../../src/handlers/extractor/rules/index.ts";
import { type Counted, countWindows } from "../../../src/handlers/windows/count.ts";
import { holdEvents } from "../../../src/handlers/windows/held.ts";
import { recount, recountSome } from "../../../src/handlers/windows/recount.ts";
import type { DueWindow } from "../../../src/handlers/windows/store.ts";

import { plainEvent } from "../extractor/events.ts";

const rules = rulesFor({
  ...{ errorThreshold: 3, silentThreshold: 5, latencyThreshold: 3, latencySpikeMs: 5_000 },
});
const settings = { windowMs: 1_000, recoveryMs: 500, countBy: "run" as const, maxFutureMs: 0 };

/** Of so many agents one failure in each of so many windows. */
function failures(agents: number, windows: number): ExperienceEvent[] {
  return Array.from({ length: agents * windows }, (_, i) => ({
    ...{ ...plainEvent, eventId: `e${i}`, runId: `r${i}`, agentId: `a${i % agents}`, tool: "pay" },
    ...{ ok: false, errorClass: "timeout", ts: Math.floor(i / agents) * 1_000 },
  }));
}

function counting(events: readonly ExperienceEvent[], asked: () => boolean) {
  const due = [...new Set(events.map(({ ts }) => Math.floor(ts / 1_000) * 1_000))];
  const stored: { windows: readonly DueWindow[]; counted: Counted }[] = [];
  const isStored = (start: number) =>
    stored.some(({ windows }) => windows.some((window) => window.start === start));
  return {
    stored,
    options: {
      ...{ rules, settings, log: pino({ level: "silent" }), counted: () => undefined },
      isDue: async () => asked(),
      store: {
        due: async () =>
          due.filter((start) => !isStored(start)).map((start) => ({ start, touches: 1 })),
        async replace(windows: readonly DueWindow[], counted: Counted) {
          stored.push({ windows, counted });
        },
      },
      async *read() {
        yield events;
      },
    },
  };
}

test("many rows are stored some windows at a time, and each window with all of its rows", async () => {
  const events = failures(350, 4);
  const { stored, options } = counting(events, () => true);
  expect(await recountSome(options)).toBe(4);
  expect(stored.length).toBeGreaterThan(1);
  for (const { windows, counted } of stored) {
    const starts = new Set(windows.map(({ start }) => start));
    const indexes = new Set([...starts].map((start) => start / 1_000));
    const expected = countWindows(events, indexes, rules, settings);
    expect(counted.signatures).toHaveLength(expected.signatures.length);
    expect(counted.runs).toHaveLength(expected.runs.length);
    expect(counted.runs.every(({ windowStart }) => starts.has(windowStart))).toBe(true);
  }
});

test("whoever was behind counts as soon as it no longer is", async () => {
  const answers = [false, true];
  const { stored, options } = counting(failures(1, 2), () => answers.shift() ?? true);
  await recount(options).run(new AbortController().signal);
  expect(stored.flatMap(({ windows }) => windows)).toHaveLength(2);
});

test("events that are no longer wanted are forgotten, and nothing of the others", () => {
  const events = failures(3, 4);
  const held = holdEvents(rules, "run");
  for (const event of [...events, ...events]) held.add(event);
  expect(held.size()).toBe(12);
  held.keepOnly((ts) => ts >= 2_000);
  expect(held.size()).toBe(6);
  const steps = [...held.runs()].flatMap((run) => run.steps);
  expect(steps.map(({ eventId }) => eventId)).toEqual(events.slice(6).map((one) => one.eventId));
});

test("an event that comes again later is counted as it was read last", () => {
  const [event] = failures(1, 1);
  if (event === undefined) throw new Error("no event");
  const many = Array.from({ length: 40 }, (_, i) => ({ ...event, eventId: `other-${i}` }));
  const held = holdEvents(rules, "run");
  for (const one of [event, ...many, { ...event, errorClass: "refused" }]) held.add(one);
  const [run] = held.runs();
  expect(run?.steps).toHaveLength(41);
  const kept = run?.steps.find(({ eventId }) => eventId === event.eventId);
  expect(kept?.kind.evidence[0]?.text).toContain("refused");
});
