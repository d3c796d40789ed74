import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  closeSync,
  constants,
  existsSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { eventually } from "../rig/eventually.ts";
import { freePort } from "../rig/ports.ts";
import { get, openStack } from "../rig/service.ts";
import { failures, publish } from "../rig/traffic.ts";

const main = fileURLToPath(new URL("../../dist/main.js", import.meta.url));

const command = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), "experience-bus-log-"));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** A replica whose standard output is this; it serves when this resolves. */
async function startWith(stdout: number, limits = "", args: readonly string[] = [main]) {
  const stack = await openStack();
  const port = await freePort();
  const shell = `${limits} exec "$0" "$@"`;
  const child = spawn("bash", ["-c", shell, process.execPath, ...args], {
    env: { PATH: process.env["PATH"], ...stack.env({ HTTP_PORT: String(port) }) },
    stdio: ["ignore", stdout, "ignore"],
  });
  closeSync(stdout);
  const exited = once(child, "exit").then(([code]) => code);
  onTestFinished(() => void child.kill("SIGKILL"));
  const status = (path: string) =>
    get(port, path).then(
      (answer) => answer.status,
      () => 0,
    );
  await eventually(async () => (await status("/readyz")) === 200, 45_000);
  return {
    stack,
    livez: () => status("/livez"),
    metrics: async () => (await get(port, "/metrics")).text,
    async stop() {
      child.kill("SIGTERM");
      return await exited;
    },
  };
}

type Replica = Awaited<ReturnType<typeof startWith>>;

async function expectToWork({ stack, livez }: Replica): Promise<void> {
  await publish(stack.broker, ...failures());
  const lessons = () => stack.database.sql`SELECT 1 FROM agent_lessons`;
  await eventually(async () => (await lessons()).length === 1, 20_000);
  expect(await livez()).toBe(200);
}

const lostLines = (metrics: string) => Number(/^log_lines_lost_total (\d+)$/m.exec(metrics)?.[1]);

test.skipIf(!existsSync("/dev/full"))(
  "on a full disk under its log the service works, counts the lines that are lost, and stops well",
  async () => {
    const replica = await startWith(openSync("/dev/full", "w"));
    await expectToWork(replica);
    expect(lostLines(await replica.metrics())).toBeGreaterThan(0);
    expect(await replica.stop()).toBe(0);
  },
);

test("when there is room again lines come again, and the first says how many are lost", async () => {
  const file = join(folder(), "log");
  // As large as the process may write one, so that there is no room from the first line on.
  writeFileSync(file, Buffer.alloc(65_536));
  const replica = await startWith(openSync(file, "a"), "ulimit -f 64;");
  await expectToWork(replica);
  const lost = lostLines(await replica.metrics());
  expect(lost).toBeGreaterThan(0);
  truncateSync(file);
  expect(await replica.stop()).toBe(0);
  const lines = readFileSync(file, "utf8").trim().split("\n");
  const log = lines.map((line) => JSON.parse(line));
  expect(log[0]).toMatchObject({ level: 40, msg: expect.stringContaining("EFBIG") });
  expect(log[0].lost).toBeGreaterThanOrEqual(lost);
  expect(log.at(-1)).toMatchObject({ msg: "stopped" });
});

test("a reader of the log that has stopped reading stops nothing", async () => {
  const pipe = join(folder(), "pipe");
  execFileSync("mkfifo", [pipe]);
  const reader = openSync(pipe, constants.O_RDWR | constants.O_NONBLOCK);
  onTestFinished(() => closeSync(reader));
  fill(reader);
  const replica = await startWith(openSync(pipe, "w"));
  await expectToWork(replica);
  // What is waiting comes when it reads again.
  const text = drain(reader);
  expect(await replica.stop()).toBe(0);
  expect(text + drain(reader)).toContain('"msg":"stopped"');
});

test("a reader of the log that never reads again stops no stop", async () => {
  const pipe = join(folder(), "pipe");
  execFileSync("mkfifo", [pipe]);
  const reader = openSync(pipe, constants.O_RDWR | constants.O_NONBLOCK);
  onTestFinished(() => closeSync(reader));
  fill(reader);
  const replica = await startWith(openSync(pipe, "w"));
  expect(await replica.stop()).toBe(0);
});

test("a reader of the log that goes away ends no service, however it was started", async () => {
  const pipe = join(folder(), "pipe");
  execFileSync("mkfifo", [pipe]);
  const reader = openSync(pipe, constants.O_RDWR | constants.O_NONBLOCK);
  const writer = openSync(pipe, "w");
  const replica = await startWith(writer, "", [command, "serve"]);
  closeSync(reader);
  await expectToWork(replica);
  await eventually(async () => lostLines(await replica.metrics()) > 0);
  expect(await replica.stop()).toBe(0);
});

/** Until nothing more goes in. */
function fill(pipe: number): void {
  const chunk = Buffer.alloc(4_096, "x");
  untilNothing(() => writeSync(pipe, chunk));
}

function drain(pipe: number): string {
  const chunks: string[] = [];
  const buffer = Buffer.alloc(65_536);
  untilNothing(() => {
    const bytes = readSync(pipe, buffer);
    chunks.push(buffer.toString("utf8", 0, bytes));
    return bytes;
  });
  return chunks.join("");
}

function untilNothing(step: () => number): void {
  try {
    while (step() > 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw error;
  }
}
