import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { eventually } from "../rig/eventually.ts";
import { natsCommand, pythonWithClients } from "../rig/outside.ts";
import { openStack, type Stack } from "../rig/service.ts";

vi.setConfig({ testTimeout: 90_000, hookTimeout: 90_000 });

const root = fileURLToPath(new URL("../..", import.meta.url));
const text = readFileSync(join(root, "docs/events.md"), "utf8");
const python = await pythonWithClients();
const nats = await natsCommand();

/** The code under a heading, with the addresses of this test's servers. */
function example(heading: string, { broker, port }: Running): string {
  const [, code = ""] =
    new RegExp(`^## ${heading}$[^]*?\`\`\`\\w+\\n([^]*?)\`\`\``, "m").exec(text) ?? [];
  expect(code, `docs/events.md has an example for ${heading}`).not.toBe("");
  return code
    .replaceAll("nats://127.0.0.1:4222", broker.url)
    .replaceAll("http://127.0.0.1:9109", `http://127.0.0.1:${port}`);
}

interface Running extends Stack {
  readonly port: number;
}

async function running(): Promise<Running> {
  const stack = await openStack();
  const { httpPort } = await stack.start({ LESSON_TRIAL_SHARE: "1" });
  return { ...stack, port: httpPort };
}

async function run(command: string, args: readonly string[], env: Record<string, string> = {}) {
  const child = spawn(command, args, {
    cwd: root,
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let [out, complaints] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (some) => (out += some));
  child.stderr.setEncoding("utf8").on("data", (some) => (complaints += some));
  const [code] = await once(child, "close");
  if (code !== 0) throw new Error(`${command} ended with ${code}: ${complaints}`);
  return out;
}

/** A file beside the repository's packages, so that imports find them. */
function file(name: string, code: string): string {
  const folder = mkdtempSync(join(name.endsWith(".py") ? tmpdir() : root, ".example-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, name);
  writeFileSync(path, code);
  return path;
}

/** The events in the stream, as stored. */
async function events({ broker: { jsm } }: Running) {
  const { state } = await jsm.streams.info("EXPERIENCE");
  const found: Record<string, unknown>[] = [];
  for (let seq = state.first_seq; seq <= state.last_seq; seq++) {
    const message = await jsm.streams.getMessage("EXPERIENCE", { seq });
    if (message !== null) found.push(message.json());
  }
  return found;
}

describe("an example of docs/events.md stores what it says, once, however often it runs:", () => {
  test("curl", async () => {
    const stack = await running();
    const script = example("curl", stack);
    const first = JSON.parse(await run("sh", ["-c", script]));
    expect(first).toMatchObject({ stored: 2, duplicates: 0, invalid: [] });
    expect(JSON.parse(await run("sh", ["-c", script]))).toMatchObject({ stored: 0, duplicates: 2 });
  });

  test("TypeScript", async () => {
    const stack = await running();
    const code = `const call = { id: "ts-1", name: "pay", ms: 12 }, run = "r-ts";
const error: Error | undefined = new RangeError("no");
${example("TypeScript", stack)}
await nc.close();`;
    const path = file("example.mts", code);
    const tsx = join(root, "node_modules/.bin/tsx");
    expect(await run(tsx, [path])).toMatch(/stored: 1, duplicates: 0, .*invalid: \[\]/);
    // Its time is that of the second run: another event under the same id.
    expect(await run(tsx, [path])).toMatch(/stored: 0, duplicates: 0, conflicts: 1/);
  });

  test.skipIf(python === null)("Python", async () => {
    const stack = await running();
    const code = `${example("Python", stack)}
import asyncio
async def main():
    nc = await nats.connect("${stack.broker.url}")
    for _ in range(2):
        await report(nc.jetstream(), "airline", "py-1", ValueError("no"), run_id="r-py", tool={"name": "pay"})
    await nc.close()
asyncio.run(main())`;
    await run(python ?? "", [file("example.py", code)]);
    const stored = (await events(stack)).map(({ event_id, result }) => ({ event_id, result }));
    const result = { ok: false, error_class: "ValueError" };
    expect(stored).toEqual([{ event_id: "py-1", result }]);
  });

  test.skipIf(nats === null)("nats", async () => {
    const stack = await running();
    const script = example("nats", stack).replace(
      /^nats /,
      `"${nats}" --server ${stack.broker.url} `,
    );
    expect(await run("sh", ["-c", script])).toMatch(/"stored": ?1/);
  });
});

test("three runs of the curl example's failure are a lesson", async () => {
  const stack = await running();
  const script = example("curl", stack);
  for (const n of [1, 2, 3]) {
    const code = script.replaceAll("call-", `call-${n}-`).replaceAll("r-1", `r-${n}`);
    await run("sh", ["-c", code]);
  }
  const lessons = () => stack.database.sql`SELECT signals FROM agent_lessons`;
  await eventually(async () => (await lessons()).length > 0);
  expect((await lessons())[0]?.["signals"]).toEqual({
    error_class: "amount does not add up",
    tool: "pay",
  });
});
