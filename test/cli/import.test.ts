import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { eventually } from "../rig/eventually.ts";
import { openStack } from "../rig/service.ts";
import { run } from "./command.ts";

/** Processes are started, several in some tests. */
vi.setConfig({ testTimeout: 120_000 });

const canary = "canary-7f3a";

/** A folder of sessions, in each of which the same command fails, a person says no, and one call works. */
function sessions(count: number): string {
  const folder = mkdtempSync(join(tmpdir(), "experience-bus-import-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  mkdirSync(join(folder, "shop"));
  for (let i = 0; i < count; i++) {
    const head = {
      sessionId: `s${i}`,
      cwd: "/home/ana/shop",
      timestamp: `2026-11-30T0${i}:00:00.000Z`,
    };
    const call = (id: string, name: string) => ({
      ...head,
      message: { content: [{ type: "tool_use", id: `${id}-${i}`, name, input: { text: canary } }] },
    });
    const result = (id: string, content: string, is_error: boolean) => ({
      ...head,
      message: { content: [{ type: "tool_result", tool_use_id: `${id}-${i}`, is_error, content }] },
    });
    const lines = [
      { ...head, message: { content: canary } },
      ...[call("a", "Bash"), result("a", "Exit code 1\nError: Cannot find module 'express'", true)],
      ...[call("b", "Edit"), result("b", "The user doesn't want to proceed with this", true)],
      ...[call("c", "Read"), result("c", canary, false)],
    ];
    const text = lines.map((line) => `${JSON.stringify(line)}\n`).join("");
    writeFileSync(join(folder, "shop", `${i}.jsonl`), `${text}{"broken\n`);
  }
  return folder;
}

test("--dry-run says without any server what counts, what not and why, and which lessons come out", async () => {
  const { code, out } = await run(`import --format claude-code --dry-run --json ${sessions(3)}`);
  const said = JSON.parse(out);
  expect(code).toBe(0);
  expect(said).toMatchObject({
    ...{ files: 3, events: { ok: 3, failed: 3, cancelled: 3 }, dry_run: true },
    not_counted: { user_rejected: 3, unreadable: 3 },
    lessons: [{ lesson_type: "error", task_type: "shop", events: 3, runs: 3 }],
  });
  expect(out).not.toContain(canary);
});

test("a shorter window, and a later beginning, find less", async () => {
  const folder = sessions(3);
  const within = await run(`import --format claude-code --dry-run --window 30m ${folder}`);
  expect(within.out).toContain("No lesson: nothing failed alike often enough within 0.5 h");
  const since = await run(
    `import --format claude-code --dry-run --json --since 2026-11-30T02:00:00Z ${folder}`,
  );
  expect(JSON.parse(since.out)).toMatchObject({ events: { failed: 1 }, lessons: [] });
});

test("imported twice, a session's calls are stored once, and nobody's words with them", async () => {
  const stack = await openStack();
  await stack.start({
    EXPERIENCE_WINDOW_SECONDS: "86400",
    EXPERIENCE_EVENT_DEDUP_TTL_SECONDS: "200000",
  });
  const folder = sessions(3);
  const env = { NATS_URL: stack.broker.url };
  const first = await run(`import --format claude-code --json --tenant acme ${folder}`, env);
  expect(JSON.parse(first.out)).toMatchObject({ stored: 9, duplicates: 0, invalid: 0 });
  const again = await run(`import --format claude-code --json --tenant acme ${folder}`, env);
  expect(JSON.parse(again.out)).toMatchObject({ stored: 0, duplicates: 9 });
  const learned = () => stack.database.sql`SELECT tenant_id, signals FROM agent_lessons`;
  await eventually(async () => (await learned()).length === 1, 20_000);
  expect(await learned()).toMatchObject([{ tenant_id: "acme", signals: { tool: "Bash" } }]);
  const stream = await stack.broker.js.streams.get("EXPERIENCE");
  for (let seq = 1; seq <= 9; seq++) {
    expect((await stream.getMessage({ seq }))?.string()).not.toContain(canary);
  }
});

test("what cannot be read at all is said, with the way out", async () => {
  const missing = await run("import --format codex --dry-run /nowhere/at-all");
  expect(missing).toMatchObject({ code: 2 });
  expect(missing.complaints).toContain("cannot read /nowhere/at-all");
  expect((await run("import --dry-run x")).complaints).toContain("--format");
});
