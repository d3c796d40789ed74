import { expect, test, vi } from "vitest";
import type { StatusReport } from "../../../src/cli/sample.ts";
import { openScreen, textOf } from "../../../src/cli/screen.ts";

const named = <T>(names: string[], value: T) => Object.fromEntries(names.map((name) => [name, value])); // biome-ignore format: one line
const durables = ["EXPERIENCE/a", "EXPERIENCE/b", "SIGNALS/a", "FEEDBACK/a", "FEEDBACK/b", "RUNS/a"]; // biome-ignore format: one line
const streams = ["DEAD_LETTERS", "EXPERIENCE", "FEEDBACK", "LESSONS", "RUNS", "SIGNALS"];

function report(replicas: number, more: Partial<StatusReport> = {}): StatusReport {
  const started = "2026-11-01T08:00:00.000Z";
  const idle = { pending: 0, ack_pending: 0, redelivered: 0, acked_through: 0 };
  return {
    at: started,
    replicas: Array.from({ length: replicas }, (_, i) => ({
      ...{ instance: `replica-${i}`, version: "0.4.0", host: null, started },
    })),
    consumers: named(durables, { ...idle, acked_per_second: 0 }) as StatusReport["consumers"],
    streams: named(streams, {
      ...{ messages: 0, bytes: 0, first_ts: null, last_ts: null, last_seq: 0 },
      messages_per_second: 0,
    }) as StatusReport["streams"],
    ...{ lessons: {}, lessons_per_minute: 0, lessons_unpublished: 0, sightings: 0 },
    ...{ feature_rows: 0, runs: {}, dead_letters_open: 0, dead_letters_by_durable: {} },
    ...more,
  };
}

test.each([1, 2, 3, 10, 100])("%d replicas fit into 80 columns and 24 lines", (replicas) => {
  const text = textOf(report(replicas), 23);
  const lines = text.split("\n");
  expect(lines.length).toBeLessThanOrEqual(23);
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80);
  for (const name of [...durables, ...streams]) expect(text).toContain(`\n${name} `);
  expect(text).toContain(`REPLICAS ${replicas} `);
});

test("where there is room, nothing is left out", () => {
  expect(textOf(report(30))).toContain("replica-29");
});

test("the row that calls for action is on top, and marked", () => {
  const calm = textOf(report(1)).split("\n");
  expect(calm.slice(0, 3).join()).not.toContain("!");
  const [, first, second] = textOf(report(1, { lessons_unpublished: 4 })).split("\n");
  expect(first).toMatch(/^! lessons to be published +4$/);
  expect(second).toMatch(/^dead letters open +0$/);
});

test("while NATS is away a terminal keeps the last figures, greyed, below what is the matter", () => {
  const written: string[] = [];
  const was = Object.getOwnPropertyDescriptor(process.stdout, "isTTY");
  Object.defineProperty(process.stdout, "isTTY", { value: true, configurable: true });
  const write = vi.spyOn(process.stdout, "write").mockImplementation((text) => {
    written.push(String(text));
    return true;
  });
  try {
    const screen = openScreen({ json: false, isLive: true });
    screen.show(report(1));
    screen.showProblem("cannot connect to NATS at nats://x:4222");
    const lines = (written.at(-1) ?? "").split("\n");
    expect(lines[0]).toContain("cannot connect to NATS at nats://x:4222; trying again");
    const figures = lines.filter((line) => line.includes("REPLICAS 1 "));
    expect(figures).toHaveLength(1);
    expect(figures[0]?.startsWith("\u001b[2m")).toBe(true);
    expect(lines.length).toBeLessThanOrEqual(24);
  } finally {
    write.mockRestore();
    if (was === undefined) Reflect.deleteProperty(process.stdout, "isTTY");
    else Object.defineProperty(process.stdout, "isTTY", was);
  }
});
