import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, get, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { eventually } from "../rig/eventually.ts";
import { type Replica, startReplica } from "../rig/replica.ts";
import { openStack, type Stack } from "../rig/service.ts";
import { type Build, copyBuild } from "./build.ts";
import { randomFrom } from "./events.ts";

/**
 * A run that grows while its reader is cut off and its replicas are killed. In the end the reader has
 * every event once and in order.
 */

let build: Build;
beforeAll(() => {
  build = copyBuild();
});
afterAll(() => build.remove());

const lastCursor = 10_000;
const perSecond = 700;
const cuts = 20;
const kills = 5;
/** Less than any event takes on the wire, so that the reader gets past every cut. */
const leastBytes = 150;

/** What the reader was told: the id of an event, and the number that its data holds. */
type Told = readonly [id: number, n: number];
const everyEvent: readonly Told[] = Array.from({ length: lastCursor }, (_, i) => [i + 1, i + 1]);

interface Fleet {
  /** HTTP ports of those that serve. */
  readonly ports: readonly number[];
  readonly isWhole: boolean;
  /** SIGKILL; another one starts in its place. */
  kill(port: number): void;
}

async function openFleet(stack: Stack, size: number): Promise<Fleet> {
  const serving = new Map<number, Replica>();
  let isClosing = false;
  async function add(): Promise<void> {
    const replica = startReplica(stack.env(), build.main);
    onTestFinished(async () => {
      isClosing = true;
      replica.kill("SIGKILL");
      await replica.exited;
    });
    try {
      serving.set((await replica.ready()).httpPort, replica);
    } catch (error) {
      if (!isClosing) throw error;
    }
  }
  await Promise.all(Array.from({ length: size }, add));
  return {
    get ports() {
      return [...serving.keys()];
    },
    get isWhole() {
      return serving.size === size;
    },
    kill(port) {
      serving.get(port)?.kill("SIGKILL");
      serving.delete(port);
      void add();
    },
  };
}

/** What stands in front of the replicas; it cuts connections after so many bytes of streams in all. */
interface Front {
  readonly url: string;
  readonly cuts: number;
  /** Port of the replica whose stream passes right now. */
  readonly serving: number | null;
  /** What was posted to `/result`. */
  readonly results: readonly string[];
}

async function openFront(
  fleet: Fleet,
  cutAfterBytes: readonly number[],
  page = "",
): Promise<Front> {
  const cutsLeft = [...cutAfterBytes];
  const results: string[] = [];
  let bytesPassed = 0;
  let turn = 0;
  let current: { readonly response: ServerResponse; readonly port: number } | null = null;

  /** Cuts, whatever goes wrong: after an HTTP error a browser would not come back. */
  function forward({ url = "", headers }: IncomingMessage, response: ServerResponse): void {
    const port = fleet.ports[turn++ % fleet.ports.length];
    if (port === undefined) return void response.destroy();
    const request = get({ port, path: url, headers }, (answer) => {
      const { statusCode = 0, headers: told } = answer;
      if (statusCode !== 200) return statusCode === 204 ? end(204) : void response.destroy();
      response.writeHead(200, { "Content-Type": told["content-type"] });
      response.flushHeaders();
      current = { response, port };
      answer.on("data", (bytes: Buffer) => pass(bytes, answer));
      answer.on("end", () => response.end());
      answer.on("error", () => response.destroy());
    });
    const end = (status: number) => response.writeHead(status).end();
    const pass = (bytes: Buffer, answer: IncomingMessage) => {
      const left = (cutsLeft[0] ?? Number.POSITIVE_INFINITY) - bytesPassed;
      bytesPassed += Math.min(left, bytes.length);
      if (left > bytes.length) {
        if (response.write(bytes)) return;
        answer.pause();
        response.once("drain", () => answer.resume());
        return;
      }
      cutsLeft.shift();
      answer.removeAllListeners("data").resume();
      response.write(bytes.subarray(0, left), () => response.destroy());
    };
    request.on("error", () => response.destroy());
    response.on("close", () => {
      if (current?.response === response) current = null;
      request.destroy();
    });
  }

  const server = createServer(async (request, response) => {
    if (request.url?.startsWith("/runs/")) return forward(request, response);
    if (request.url === "/result") results.push(await text(request));
    response.writeHead(200, { "Content-Type": "text/html" }).end(page);
  });
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get cuts() {
      return cutAfterBytes.length - cutsLeft.length;
    },
    get serving() {
      return current?.port ?? null;
    },
    results,
  };
}

/** Appends the whole run, evenly; `before` is awaited before each of these many events. */
async function appendRun({ broker }: Stack, before: (appended: number) => Promise<void>) {
  const startedAt = performance.now();
  for (let done = 0; done < lastCursor; done += 20) {
    await eventually(() => performance.now() >= startedAt + (done / perSecond) * 1_000, 60_000);
    await before(done);
    const events = Array.from({ length: 20 }, (_, i) => {
      const n = done + i + 1;
      const type = n === lastCursor ? "run_completed" : "step";
      // Characters of several bytes, which a cut may split.
      return { run_id: "r1", event_id: `e${n}`, type, data: { n, text: "é→🙂" } };
    });
    const payload = JSON.stringify(events);
    // A replica that is killed answers nobody; asked again, it stores nothing twice.
    const append = async () => {
      try {
        const reply = await broker.nc.request("experience.runs.append", payload, {
          timeout: 2_000,
        });
        const { stored, duplicates } = reply.json<Record<string, number>>();
        return (stored ?? 0) + (duplicates ?? 0) === events.length;
      } catch {
        return false;
      }
    };
    await eventually(append, 20_000);
  }
}

/** Numbers below `end`, ascending. */
function momentsFrom(seed: number, count: number, end: number): number[] {
  const random = randomFrom(seed);
  return Array.from({ length: count }, () => random(end)).sort((a, b) => a - b);
}

async function followThroughFaults(
  seed: number,
  page: string,
  read: (front: Front) => Promise<readonly Told[]>,
): Promise<void> {
  const stack = await openStack();
  const fleet = await openFleet(stack, 2);
  const cutAfterBytes = momentsFrom(seed, cuts, lastCursor * leastBytes);
  const killAfter = momentsFrom(seed + 1, kills, lastCursor);
  let killed = 0;
  const front = await openFront(fleet, cutAfterBytes, page);
  let appending = false;
  const appended = appendRun(stack, async (done) => {
    appending = done > 0;
    if (done < (killAfter[0] ?? Number.POSITIVE_INFINITY)) return;
    killAfter.shift();
    await eventually(() => fleet.isWhole && front.serving !== null, 20_000);
    if (front.serving !== null) fleet.kill(front.serving);
    killed += 1;
  });
  // There is a run to follow.
  await eventually(() => appending, 20_000);
  const [told] = await Promise.all([read(front), appended]);
  expect(told).toEqual(everyEvent);
  expect([front.cuts, killed]).toEqual([cuts, kills]);
}

/** One after the other, each from where the one before was cut off, until there is no more to come. */
async function readWithCurl({ url }: Front): Promise<readonly Told[]> {
  const told: Told[] = [];
  for (;;) {
    const last = told.at(-1)?.[0];
    const from = last === undefined ? [] : ["-H", `Last-Event-ID: ${last}`];
    const status = ["-w", "%{stderr}%{http_code}"];
    const child = spawn("curl", ["-sN", ...status, ...from, `${url}/runs/r1/events`]);
    onTestFinished(() => void child.kill("SIGKILL"));
    let rest = "";
    child.stdout.setEncoding("utf8").on("data", (some: string) => {
      const blocks = (rest + some).split("\n\n");
      // Half an event is none.
      rest = blocks.pop() ?? "";
      for (const block of blocks) {
        const [, id] = /^id: (\d+)$/m.exec(block) ?? [];
        const [, data = ""] = /^data: (.*)$/m.exec(block) ?? [];
        if (id !== undefined) told.push([Number(id), JSON.parse(data).data.n]);
      }
    });
    const [code] = await Promise.all([text(child.stderr), once(child, "close")]);
    if (code === "204") return told;
    expect(["000", "200"]).toContain(code);
  }
}

/** An EventSource comes back by itself; told that there is no more, it is closed. */
const page = `<!doctype html><script>
  const told = [];
  const hear = ({ lastEventId, data }) => told.push([Number(lastEventId), JSON.parse(data).data.n]);
  const source = new EventSource("/runs/r1/events");
  source.addEventListener("step", hear);
  source.addEventListener("run_completed", hear);
  source.addEventListener("error", () => {
    if (source.readyState !== EventSource.CLOSED) return;
    fetch("/result", { method: "POST", body: JSON.stringify(told) });
  });
</script>`;

const browser = ["chromium", "chromium-browser", "google-chrome"].find((name) => {
  try {
    execFileSync(name, ["--version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
});

async function readWithBrowser({ url, results }: Front): Promise<readonly Told[]> {
  const folder = mkdtempSync(join(tmpdir(), "experience-bus-browser-"));
  const flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"];
  const child = spawn(browser ?? "", [...flags, `--user-data-dir=${folder}`, `${url}/page`], {
    stdio: "ignore",
    // A group of its own: a browser is many processes.
    detached: true,
  });
  const closed = once(child, "close");
  onTestFinished(async () => {
    if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, "SIGKILL");
    await closed;
    rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  });
  await eventually(() => results.length > 0, 100_000);
  return JSON.parse(results[0] ?? "");
}

test("curl, started again where it was cut off, gets every event once and in order", async () => {
  await followThroughFaults(1, "", readWithCurl);
}, 120_000);

const without = browser === undefined ? " (skipped: no chromium or google-chrome in PATH)" : "";

test.skipIf(browser === undefined)(
  `a browser's EventSource gets every event once and in order${without}`,
  () => followThroughFaults(2, page, readWithBrowser),
  120_000,
);
