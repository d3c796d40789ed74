import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { hostname } from "node:os";
import { describe, expect, onTestFinished, test } from "vitest";
import type { StatusReport } from "../../src/cli/sample.ts";
import { reportOf } from "../../src/cli/sample.ts";
import { startOwnPostgres } from "../faults/own-postgres.ts";
import { eventually } from "../rig/eventually.ts";
import { openStack, type Stack } from "../rig/service.ts";
import { failures, publish } from "../rig/traffic.ts";
import { main, run, startCommand } from "./command.ts";

const status = ({ broker }: Stack, args = "") => run(`status ${args}`, { NATS_URL: broker.url });

function watch(stack: Stack, ...args: string[]) {
  const started = startCommand(["status", ...args], { NATS_URL: stack.broker.url });
  onTestFinished(() => {
    started.child.kill("SIGKILL");
  });
  const reports = (): StatusReport[] =>
    started.out().split("\n").slice(0, -1).map((line) => JSON.parse(line)); // biome-ignore format: short
  return { ...started, reports };
}

test("status tells of replicas, consumers, streams, lessons and dead letters, and ends", async () => {
  const stack = await openStack();
  const replicas = [await stack.start(), await stack.start()];
  await publish(stack.broker, ...failures(3));
  await stack.broker.js.publish("signals.x", "no JSON");
  const report = async (): Promise<StatusReport> => JSON.parse((await status(stack, "--json")).out);
  // A report's rates are of the time since it began, so that the last event is before it.
  const isSettled = async () => {
    const { dead_letters_open, lessons, consumers } = await report();
    const learner = consumers["EXPERIENCE/experience-learner-v1"];
    return dead_letters_open === 1 && lessons["error"] === 1 && learner?.acked_through === 3;
  };
  await eventually(isSettled, 20_000);
  const json = await report();
  expect(json.replicas.map(({ instance }) => instance).sort()).toEqual(
    replicas.map(({ instance }) => instance).sort(),
  );
  expect(json.replicas[0]).toMatchObject({ host: hostname(), started: expect.any(String) });
  expect(json).toMatchObject({
    consumers: {
      "EXPERIENCE/experience-learner-v1": { pending: 0, acked_through: 3, acked_per_second: 0 },
    },
    streams: { EXPERIENCE: { messages: 3, last_seq: 3, messages_per_second: 0 } },
    lessons: { error: 1 },
    lessons_per_minute: 0,
    dead_letters_by_durable: { "SIGNALS/feature-pipeline-signals": 1 },
  });
  const { out, code } = await status(stack);
  expect(out).toMatch(/^WHAT +NOW\n! dead letters open +1: 1 SIGNALS/);
  expect(out).toMatch(/\nREPLICAS 2 +VERSION +HOST +UP SINCE\n/);
  for (const { instance } of replicas) expect(out).toContain(`\n${instance}  `);
  expect(out).toMatch(/\nEXPERIENCE\/experience-learner-v1 +0 +0 +0 +0\n/);
  expect(out).toContain("1 error; 0 a minute");
  expect(out).toContain("1: 1 SIGNALS/feature-pipeline-signals");
  // biome-ignore lint/suspicious/noControlCharactersInRegex: no terminal, so none of its commands
  expect(out).not.toMatch(/\u001b/);
  expect(code).toBe(0);
}, 60_000);

test("again and again it prints rates, a JSON object a line, until it is interrupted", async () => {
  const stack = await openStack();
  await stack.start();
  const { child, ended, reports } = watch(stack, "--json", "--interval", "500ms");
  await eventually(() => reports().length >= 1, 15_000);
  await publish(stack.broker, ...failures(200));
  const rates = () =>
    reports().map(({ streams, consumers }) => [
      streams["EXPERIENCE"]?.messages_per_second ?? 0,
      consumers["EXPERIENCE/experience-learner-v1"]?.acked_per_second ?? 0,
    ]);
  const highest = (which: 0 | 1) => Math.max(0, ...rates().map((pair) => pair[which] ?? 0));
  await eventually(() => highest(0) > 20 && highest(1) > 20, 15_000);
  await eventually(() => reports().at(-1)?.lessons_per_minute !== 0, 15_000);
  child.kill("SIGINT");
  expect((await ended).code).toBe(0);
});

test("while NATS is away it says so, and goes on when it is back", async () => {
  const stack = await openStack();
  await stack.start();
  const { child, ended, complaints, reports } = watch(stack, "--json", "--interval", "200ms");
  await eventually(() => reports().length >= 1, 15_000);
  await stack.broker.kill();
  await eventually(() => complaints().includes("trying again"), 15_000);
  const before = reports().length;
  await stack.broker.restart();
  await eventually(() => reports().length > before, 20_000);
  child.kill("SIGTERM");
  expect((await ended).code).toBe(0);
});

test("without a service, or without NATS, it ends with 1", async () => {
  const stack = await openStack();
  const alone = await status(stack);
  expect(alone.complaints).toContain("no responders on experience.stats");
  expect(alone.code).toBe(1);
  expect(await status(stack, "--once --watch")).toMatchObject({ code: 2 });
  expect(await run("status --server nats://127.0.0.1:1")).toMatchObject({ code: 1 });
});

test("while PostgreSQL is away it says so, who still runs, and goes on when it is back", async () => {
  const postgres = await startOwnPostgres();
  onTestFinished(() => postgres.remove());
  const stack = await openStack();
  const { url: LEARNER_DATABASE_URL } = await postgres.openDatabase();
  const { instance } = await stack.start({ LEARNER_DATABASE_URL });
  const { child, ended, complaints, reports } = watch(stack, "--json", "--interval", "200ms");
  await eventually(() => reports().length >= 1, 15_000);
  postgres.freeze();
  const { complaints: once, code, out } = await status(stack, "--once");
  expect(once).toMatch(/^experience-bus: .+\n {2}postgres: .*no answer.*\n/);
  expect(once).toContain(`\n  replicas: 1 (${instance} on ${hostname()})\n`);
  expect([code, out]).toEqual([1, ""]);
  await eventually(() => /; trying again\n {2}postgres: /.test(complaints()), 20_000);
  const late = watch(stack, "--json", "--interval", "200ms");
  await eventually(() => /; trying again\n {2}postgres: /.test(late.complaints()), 20_000);
  const before = reports().length;
  postgres.thaw();
  await eventually(() => reports().length > before && late.reports().length > 0, 30_000);
  child.kill("SIGTERM");
  expect((await ended).code).toBe(0);
}, 90_000);

test("a reader that has seen enough ends it without a complaint", async () => {
  const stack = await openStack();
  await stack.start();
  const { child, ended, complaints } = watch(stack, "--watch", "--interval", "100ms");
  child.stdout.once("data", () => child.stdout.destroy());
  expect((await ended).code).toBe(0);
  expect(complaints()).toBe("");
});

/** As on a terminal of that size; `out` has what it was told to show, `frame` the newest picture of it. */
function onTerminal({ broker }: Stack, rows: number, columns: number) {
  const command = `stty rows ${rows} cols ${columns}; exec ${process.execPath} ${main} status --interval 200ms`;
  const child = spawn("script", ["-qefc", command, "/dev/null"], {
    env: { PATH: process.env["PATH"] ?? "", NATS_URL: broker.url, TERM: "xterm" },
  });
  onTestFinished(() => {
    child.kill("SIGKILL");
  });
  let out = "";
  child.stdout.setEncoding("utf8").on("data", (text) => (out += text));
  const frames = () => out.split("\u001b[H").slice(1);
  return { child, out: () => out, frames, frame: () => frames().at(-1) ?? "" };
}

describe.skipIf(spawnSync("script", ["--version"]).error)("on a terminal", () => {
  test("it redraws in place, and leaves the cursor visible", async () => {
    const stack = await openStack();
    await stack.start();
    const { child, out, frames } = onTerminal(stack, 40, 70);
    await eventually(() => frames().length > 2, 20_000);
    child.stdin.write("\u0003");
    const [code] = await once(child, "close");
    expect(code).toBe(0);
    expect(out().startsWith("\u001b[?25l")).toBe(true);
    expect(out().endsWith("\u001b[?25h")).toBe(true);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: what the terminal obeys
    const shown = out().replaceAll(/\u001b\[[?\d]*[A-Za-z]/g, "");
    const lines = shown.split(/\r?\n/);
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(70);
  });

  test("that does not know its size it shows more than a line", async () => {
    const stack = await openStack();
    await stack.start();
    const { frame } = onTerminal(stack, 0, 0);
    await eventually(() => frame().includes("EXPERIENCE/experience-learner-v1"), 20_000);
    expect(frame()).toMatch(/^WHAT +NOW/);
  });

  test("a problem is shown above the last figures, which are greyed", async () => {
    const stack = await openStack();
    await stack.start();
    const { frame } = onTerminal(stack, 40, 100);
    await eventually(() => frame().includes("REPLICAS 1"), 20_000);
    await stack.broker.kill();
    await eventually(() => frame().includes("trying again"), 20_000);
    expect(frame()).toContain("\u001b[2mREPLICAS 1 ");
  });
});

test("a stream that was made anew has no rate, and no negative one", () => {
  const figures = { messages: 0, bytes: 0, first_ts: null, last_ts: null };
  const sampleAt = (atMs: number, last_seq: number) => ({
    atMs,
    replicas: [],
    stats: {
      streams: { RUNS: { ...figures, last_seq } },
      ...{
        consumers: {},
        evidence_documents: 0,
        lessons: {},
        lessons_unpublished: 0,
        sightings: 0,
      },
      ...{ dead_letters: 0, dead_letters_open: 0, dead_letters_replayed: 0, runs: {} },
      ...{ dead_letters_by_durable: {}, feature_rows: 0 },
      instance: { id: "i", version: "0", uptime_seconds: 1, counters: {} },
    },
  });
  const rate = (now: number, before: number) =>
    reportOf(sampleAt(3_000, now), [sampleAt(1_000, before)]).streams["RUNS"]?.messages_per_second;
  expect([rate(50, 10), rate(5, 10)]).toEqual([20, null]);
});
