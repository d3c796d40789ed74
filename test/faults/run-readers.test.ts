import { execFileSync } from "node:child_process";
import { get } from "node:http";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { eventually } from "../rig/eventually.ts";
import { type Replica, startReplica } from "../rig/replica.ts";
import { openStack, type Stack } from "../rig/service.ts";
import { type Build, copyBuild } from "./build.ts";
import { loadNotMade } from "./load.ts";

/** Many who follow one run, and how long events take to them. */

let build: Build;
beforeAll(() => {
  build = copyBuild();
});
afterAll(() => build.remove());

const readers = 200;
const lastCursor = 1_000;
const perSecond = 100;
const limitMs = 250;

async function startReplicas({ env }: Stack, count: number) {
  const replicas = Array.from({ length: count }, () => startReplica(env(), build.main));
  onTestFinished(async () => {
    for (const replica of replicas) replica.kill("SIGKILL");
    await Promise.all(replicas.map(({ exited }) => exited));
  });
  const ports = await Promise.all(replicas.map(async (one) => (await one.ready()).httpPort));
  return { replicas, ports };
}

/** What has come so far: cursors, and how long after it was stored each event was here. */
interface Received {
  readonly cursors: number[];
  readonly delaysMs: number[];
  isOver: boolean;
}

function follow(port: number): Promise<Received> {
  const received: Received = { cursors: [], delaysMs: [], isOver: false };
  return new Promise((resolve, reject) => {
    const request = get({ port, path: "/runs/r1/events", agent: false }, (response) => {
      let rest = "";
      response.setEncoding("utf8").on("data", (some: string) => {
        const now = Date.now();
        const blocks = (rest + some).split("\n\n");
        rest = blocks.pop() ?? "";
        for (const block of blocks) {
          const [, cursor, ts] = /^id: (\d+)\n.*"ts":"([^"]+)"/s.exec(block) ?? [];
          if (ts === undefined) continue;
          received.cursors.push(Number(cursor));
          received.delaysMs.push(now - Date.parse(ts));
        }
      });
      response.on("end", () => {
        received.isOver = true;
      });
      response.on("error", () => undefined);
      resolve(received);
    });
    request.on("error", reject);
    onTestFinished(() => void request.destroy());
  });
}

const rssMb = ({ process: { pid } }: Replica) =>
  Math.round(Number(execFileSync("ps", ["-o", "rss=", "-p", String(pid)])) / 1_024);

/** Their time is the moment before they are stored: they have none of their own. */
async function appendEvenly({ broker: { nc } }: Stack, from: number): Promise<void> {
  const startedAt = performance.now();
  let next = from;
  await eventually(async () => {
    const due = from + ((performance.now() - startedAt) / 1_000) * perSecond;
    const events = [];
    for (; next <= Math.min(due, lastCursor); next += 1) {
      const type = next === lastCursor ? "run_completed" : "step";
      events.push({ run_id: "r1", cursor: next, type, data: { n: next } });
    }
    // One request after the other, for the order of the cursors; all that is due in one, so that a slow machine keeps pace.
    if (events.length > 0)
      await nc.request("experience.runs.append", JSON.stringify(events), { timeout: 5_000 });
    return next > lastCursor;
  }, 60_000);
}

test(`${readers} readers on two replicas have an event within ${limitMs} ms`, async () => {
  const stack = await openStack();
  const { replicas, ports } = await startReplicas(stack, 2);
  const first = { run_id: "r1", cursor: 1, type: "run_started" };
  await stack.broker.nc.request("experience.runs.append", JSON.stringify(first));
  const before = replicas.map(rssMb);
  const all = await Promise.all(
    Array.from({ length: readers }, (_, i) => follow(ports[i % ports.length] ?? 0)),
  );
  await eventually(() => all.every(({ cursors }) => cursors.length === 1));
  const startedAt = performance.now();
  await appendEvenly(stack, 2);
  const seconds = (performance.now() - startedAt) / 1_000;
  await eventually(() => all.every(({ isOver }) => isOver), 20_000);
  const after = replicas.map(rssMb);

  const every = Array.from({ length: lastCursor }, (_, i) => i + 1);
  for (const { cursors } of all) expect(cursors).toEqual(every);
  // The first was there before its readers.
  const delays = all.flatMap(({ delaysMs }) => delaysMs.slice(1)).sort((a, b) => a - b);
  const at = (part: number) => delays[Math.floor((delays.length - 1) * part)] ?? Number.NaN;
  const rate = lastCursor / seconds;
  console.info(
    `${readers} readers, ${rate.toFixed(0)} events/s: p50 ${at(0.5)} ms, ` +
      `p99 ${at(0.99)} ms, max ${at(1)} ms; replicas ${before.join("+")} MB before, ` +
      `${after.join("+")} MB after`,
  );
  expect.soft(rate, loadNotMade(perSecond)).toBeGreaterThan(0.9 * perSecond);
  expect(at(0.99), "99th percentile, ms").toBeLessThanOrEqual(limitMs);
}, 120_000);
