import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { freePort } from "../rig/ports.ts";
import { openStack } from "../rig/service.ts";
import { run } from "./command.ts";

/** Processes are started, several in some tests. */
vi.setConfig({ testTimeout: 120_000 });

const failure = (id: string) =>
  JSON.stringify({
    ...{ session_id: "s1", cwd: "/home/ana/shop", hook_event_name: "PostToolUseFailure" },
    ...{ tool_name: "Bash", tool_use_id: id, error: "Exit code 1\nError: no such module" },
  });

function spoolFile(): string {
  const folder = mkdtempSync(join(tmpdir(), "experience-bus-hook-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return join(folder, "below", "hooks.jsonl");
}

test("a hook while nothing runs waits in a file, and is sent with the next one", async () => {
  const spool = spoolFile();
  const away = { EXPERIENCE_SPOOL: spool, EXPERIENCE_URL: `http://127.0.0.1:${await freePort()}` };
  const first = await run("hook claude-code", away, failure("t1"));
  expect(first).toEqual({ code: 0, out: "", complaints: "" });
  expect(readFileSync(spool, "utf8")).toContain("t1");

  const stack = await openStack();
  const service = await stack.start({ EXPERIENCE_INGEST: "on" });
  const there = { ...away, EXPERIENCE_URL: `http://127.0.0.1:${service.httpPort}` };
  const stored = async () => (await stack.broker.jsm.streams.info("EXPERIENCE")).state.messages;
  // A slow machine may need several: what was not sent in time goes back, and counts once.
  for (let i = 2; i < 80 && (existsSync(spool) || (await stored()) < 2); i++) {
    expect(await run("hook claude-code", there, failure(`t${i}`))).toMatchObject({
      code: 0,
      out: "",
    });
  }
  const stream = await stack.broker.js.streams.get("EXPERIENCE");
  const ids: string[] = [];
  for (let seq = 1; seq <= (await stored()); seq++) {
    ids.push((await stream.getMessage({ seq }))?.json<{ event_id: string }>().event_id ?? "");
  }
  expect(ids).toContain("cc:t1");
  expect(new Set(ids).size).toBe(ids.length);
});

test.each([
  ["what is no hook", "{"],
  ["nothing", ""],
])("%s on standard input is nobody's failure", async (_, input) => {
  const env = { EXPERIENCE_SPOOL: spoolFile(), EXPERIENCE_URL: "not a URL" };
  expect(await run("hook codex", env, input)).toEqual({ code: 0, out: "", complaints: "" });
});

test("a file that is full takes no more", async () => {
  const spool = spoolFile();
  const folder = join(spool, "..", "..");
  const full = join(folder, "full.jsonl");
  writeFileSync(full, "x".repeat(10_000_000));
  const env = { EXPERIENCE_SPOOL: full, EXPERIENCE_URL: `http://127.0.0.1:${await freePort()}` };
  expect((await run("hook gemini", env, failure("t1"))).code).toBe(0);
  expect(readFileSync(full).length).toBe(10_000_000);
});

/** Time depends on the machine, what is loaded does not: command line, NATS client and schemas would be most of it. */
test("a hook loads nothing but what sends it", async () => {
  const spool = spoolFile();
  const coverage = join(spool, "..", "..", "coverage");
  await run(
    "hook claude-code",
    {
      ...{ EXPERIENCE_SPOOL: spool, EXPERIENCE_URL: `http://127.0.0.1:${await freePort()}` },
      NODE_V8_COVERAGE: coverage,
    },
    failure("t1"),
  );
  const loaded = readdirSync(coverage).flatMap((file) =>
    (JSON.parse(readFileSync(join(coverage, file), "utf8")).result as { url: string }[])
      .map(({ url }) => url)
      .filter((url) => url.startsWith("file:")),
  );
  expect(loaded.map((url) => basename(url)).sort()).toEqual([
    ...["errors.js", "flush.js", "hook-sending.js", "hook-spool.js", "main.js"],
  ]);
});

test.each(["hook codex --help", "hook -h"])("%s says what it does", async (args) => {
  const { code, out } = await run(args, {}, "");
  expect(code).toBe(0);
  expect(out).toContain("EXPERIENCE_SPOOL");
});
