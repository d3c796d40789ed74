import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, vi } from "vitest";
import { eventually } from "../rig/eventually.ts";
import { test } from "./fixture.ts";

vi.setConfig({ testTimeout: 90_000 });

const main = fileURLToPath(new URL("../../dist/demo/main.js", import.meta.url));

async function demo(folder: string, args: string[], env: Record<string, string> = {}) {
  const TMPDIR = join(folder, "temporary");
  await mkdir(TMPDIR, { recursive: true });
  const { PATH = "", HOME = "" } = process.env;
  const child = spawn(process.execPath, [main, ...args], {
    env: { PATH, HOME, TMPDIR, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (said += chunk));
  const ended = once(child, "close").then(([code]) => code as number | null);
  return { child, ended, said: () => said, left: () => readdir(TMPDIR) };
}

test("the demo reads a file as publish does, obeys the settings, and leaves nothing behind", async ({
  folder,
}) => {
  const file = join(folder, "events.jsonl");
  const event = `{"agent_id":"scout","result":{"ok":false,"error_class":"boom"}}`;
  await writeFile(file, `\ufeff${event}\n{"result":{}}\n${event}\n`);
  const env = { EXPERIENCE_ERROR_THRESHOLD: "2", NATS_URL: "nats://nowhere:1" };
  const { ended, said, left } = await demo(folder, ["--events", file], env);
  expect(await ended).toBe(0);
  expect(said()).toContain("events.jsonl, line 2: result: must have");
  expect(said()).toMatch(/Lessons: +1 error\n[\s\S]*Dead letters: 1\n/);
  expect(await left()).toEqual([]);
});

test("a demo that is interrupted leaves nothing in the folder for temporary files", async ({
  folder,
}) => {
  const { child, ended, said, left } = await demo(folder, []);
  await once(child.stdout, "data");
  expect(await left()).toHaveLength(1);
  child.kill("SIGINT");
  expect(await ended).toBe(1);
  expect(said()).not.toContain("Error");
  expect(await left()).toEqual([]);
});

test("a demo that is kept shows its console, where agents go on living until it is interrupted", async ({
  folder,
}) => {
  const { child, ended, said, left } = await demo(folder, ["--keep"]);
  await eventually(() => said().includes("Stop with Ctrl-C."), 60_000);
  const [address = ""] = /http:\/\/127\.0\.0\.1:\d+\//.exec(said()) ?? [];
  const page = async (path: string) => (await fetch(new URL(path, address))).text();
  expect(await page("lessons")).toContain("amount does not match cart total");
  await eventually(async () => (await page("runs")).includes("shop-assistant-"), 20_000);
  child.kill("SIGINT");
  expect(await ended).toBe(0);
  expect(await left()).toEqual([]);
});

test("the demo shows the loop: who is told a lesson fails less than who is not", async ({
  folder,
}) => {
  const { ended, said } = await demo(folder, []);
  expect(await ended).toBe(0);
  expect(said()).toMatch(
    /\[lessons \w+\]\n[\s\S]*pay failed with "amount does not match cart total"/,
  );
  const rate = (how: string) =>
    Number(new RegExp(`${how} the lesson: .*\\((\\d+) %\\)`).exec(said())?.[1]);
  // Of some 60 runs each: by chance alone once in a million demos.
  expect(rate("with")).toBeLessThan(rate("without"));
});
