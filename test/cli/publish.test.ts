import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { eventually } from "../rig/eventually.ts";
import { openStack, type Stack } from "../rig/service.ts";
import { failure, failures } from "../rig/traffic.ts";
import { run, startCommand } from "./command.ts";

/** Processes are started, several in some tests. */
vi.setConfig({ testTimeout: 120_000 });

function fileOf(text: string): string {
  const folder = mkdtempSync(join(tmpdir(), "experience-bus-publish-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "events.jsonl");
  writeFileSync(file, text);
  return file;
}

const linesOf = (...events: object[]) =>
  events.map((event) => `${JSON.stringify(event)}\n`).join("");

const publish = ({ broker }: Stack, args: string, input = "") =>
  run(`publish ${args}`, { NATS_URL: broker.url }, input);

const stored = async ({ broker: { jsm } }: Stack) =>
  (await jsm.streams.info("EXPERIENCE")).state.messages;

const addStream = ({ broker: { jsm } }: Stack) =>
  jsm.streams.add({ name: "EXPERIENCE", subjects: ["agent.experience.v1.>"] });

test("events of a file become lessons, and a file that comes again stores nothing again", async () => {
  const stack = await openStack();
  await stack.start();
  const file = fileOf(linesOf(...failures(300)));
  const first = await publish(stack, file);
  expect(first).toMatchObject({ code: 0, out: "300 stored, 0 duplicates, 0 invalid.\n" });
  const again = await publish(stack, `${file} --json`);
  expect(JSON.parse(again.out)).toEqual({ stored: 0, duplicates: 300, invalid: 0, problems: [] });
  expect(await stored(stack)).toBe(300);
  const learned = async () => (await stack.database.sql`SELECT FROM agent_lessons`).length;
  await eventually(async () => (await learned()) === 1, 20_000);
});

test("lines without an id are events of their own, and the same ones when they come again", async () => {
  const stack = await openStack();
  await addStream(stack);
  const { event_id: _, ...anonymous } = failure();
  const input = linesOf(anonymous, anonymous, anonymous);
  expect((await publish(stack, "-", input)).out).toContain("3 stored, 0 duplicates");
  expect((await publish(stack, fileOf(input))).out).toContain("0 stored, 3 duplicates");
  const stream = await stack.broker.js.streams.get("EXPERIENCE");
  const message = await stream.getMessage({ seq: 2 });
  expect(message?.subject).toBe("agent.experience.v1.scout");
  expect(message?.header.get("Nats-Msg-Id")).toMatch(/^[0-9a-f]{64}$/);
  expect(message?.json()).toEqual(anonymous);
});

test("invalid lines are listed with number and reason, and the others are published", async () => {
  const stack = await openStack();
  await addStream(stack);
  const long = JSON.stringify(failure({ source: "x".repeat(300_000) }));
  const good = JSON.stringify(failure());
  const input = `${good}\r\n\n \t\r\n{"result":{}}\nno\u001b[31m JSON\n${long}\n[1]\n${good.replace(/event_id":"/, "$&2-")}`;
  const { out, complaints, code } = await publish(stack, "-", input);
  expect(out).toBe("2 stored, 0 duplicates, 4 invalid.\n");
  expect(complaints).toContain("line 4: result:");
  expect(complaints).toContain("line 5: not JSON");
  expect(complaints).toContain("line 6: has more than 262144 bytes");
  expect(complaints).toContain("line 7: not a JSON object");
  expect(code).toBe(1);
  expect(await stored(stack)).toBe(2);
});

test("--dry-run checks without a server", async () => {
  const away = { NATS_URL: "nats://127.0.0.1:1" };
  const good = linesOf(...failures(3));
  const all = await run("publish - --dry-run", away, good);
  expect(all).toMatchObject({ code: 0, out: "3 valid, 0 invalid.\n" });
  const some = await run("publish - --dry-run --json", away, `${good}{}\n`);
  const problems = [{ line: 4, reason: expect.stringMatching(/\w/) }];
  expect(JSON.parse(some.out)).toEqual({ valid: 3, invalid: 1, problems, dry_run: true });
  expect(some.code).toBe(1);
});

test("--json lists invalid lines, and no more of them than a program can take", async () => {
  const stack = await openStack();
  await addStream(stack);
  const { out, code } = await publish(stack, "- --json", `${linesOf(failure())}no JSON\n`);
  const { problems, ...counts } = JSON.parse(out);
  expect(counts).toEqual({ stored: 1, duplicates: 0, invalid: 1 });
  expect(problems).toEqual([{ line: 2, reason: expect.stringContaining("not JSON") }]);
  expect(code).toBe(1);
  const many = JSON.parse((await run("publish - --dry-run --json", {}, "1\n".repeat(1_200))).out);
  expect(many.invalid).toBe(1_200);
  expect(many.problems).toHaveLength(1_000);
});

test("a file that begins with a byte order mark loses no line", async () => {
  const stack = await openStack();
  await addStream(stack);
  const { event_id: _, ...anonymous } = failure();
  const input = linesOf(anonymous, failure());
  const marked = await publish(stack, "-", `\ufeff${input}`);
  expect(marked).toMatchObject({ code: 0, out: "2 stored, 0 duplicates, 0 invalid.\n" });
  expect((await publish(stack, "-", input)).out).toContain("0 stored, 2 duplicates");
});

test("EXPERIENCE_SUBJECT says where events go", async () => {
  const stack = await openStack();
  const env = { NATS_URL: stack.broker.url, EXPERIENCE_SUBJECT: "other.*" };
  await stack.broker.jsm.streams.add({ name: "OTHER", subjects: ["other.>"] });
  const { code } = await run("publish -", env, linesOf(failure({ agent_id: "a b" })));
  expect(code).toBe(0);
  const { subjects } = (await stack.broker.jsm.streams.info("OTHER", { subjects_filter: ">" }))
    .state;
  expect(subjects).toEqual({ "other.a_b": 1 });
});

test("while the broker is away it is tried again, and every event is stored once", async () => {
  const stack = await openStack();
  await addStream(stack);
  const { child, ended, complaints } = startCommand(["publish", "-", "--timeout", "20s"], {
    NATS_URL: stack.broker.url,
  });
  child.stdin.write(linesOf(...failures(500)));
  await eventually(async () => (await stored(stack)) === 500, 20_000);
  await stack.broker.kill();
  child.stdin.end(linesOf(...failures(500)));
  await eventually(() => complaints().includes("trying for 20 s"), 10_000);
  await stack.broker.restart();
  expect(await ended).toMatchObject({ code: 0, out: "1000 stored, 0 duplicates, 0 invalid.\n" });
  expect(await stored(stack)).toBe(1_000);
});

test("a broker that stays away, and a stream that is missing, end with 1 and are named", async () => {
  const away = await run("publish - --timeout 300ms --server nats://127.0.0.1:1", {}, "{}\n");
  expect(away.complaints).toContain("cannot connect to NATS at nats://127.0.0.1:1");
  expect(away.code).toBe(1);
  const stack = await openStack();
  const missing = await publish(stack, "- --timeout 300ms", linesOf(...failures(3)));
  expect(missing.complaints).toContain("no stream stores agent.experience.v1.scout");
  expect(missing.complaints).toContain("publish the file again");
  expect(missing).toMatchObject({ code: 1, out: "0 stored, 0 duplicates, 0 invalid.\n" });
});

test("interrupted, it says what was stored and ends with 1", async () => {
  const stack = await openStack();
  await addStream(stack);
  const { child, ended } = startCommand(["publish", "-"], { NATS_URL: stack.broker.url });
  child.stdin.write(linesOf(...failures(5)));
  await eventually(async () => (await stored(stack)) === 5, 20_000);
  child.kill("SIGINT");
  const { out, code, complaints } = await ended;
  expect(out).toBe("5 stored, 0 duplicates, 0 invalid.\n");
  expect(complaints).toContain("interrupted");
  expect(code).toBe(1);
});

test("of a file that takes its time, progress is shown on standard error", async () => {
  const file = fileOf(linesOf(...failures(9_000)));
  const { out, complaints } = await run(`publish ${file} --dry-run`);
  expect(out).toBe("9000 valid, 0 invalid.\n");
  expect(complaints).toMatch(/publishing #+ 100 %/);
});

test("a file that cannot be read is bad usage", async () => {
  for (const file of ["/nowhere.jsonl", tmpdir()]) {
    const { complaints, code } = await run(`publish ${file}`);
    expect(complaints).toContain(`cannot read ${file}`);
    expect(code).toBe(2);
  }
});

test("of a large input, and of a line without an end, only a little is held at once", async () => {
  const say = "process.on('exit',()=>console.error('held',process.resourceUsage().maxRSS))";
  const { child, ended } = startCommand(["publish", "-", "--dry-run"], {
    NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(say)}`,
  });
  const chunk = linesOf(...failures(250, { note: "n".repeat(3_800) }));
  const write = (text: string) =>
    new Promise<void>((resolve) => child.stdin.write(text, () => resolve()));
  for (let i = 0; i < 200; i++) await write(chunk);
  for (let i = 0; i < 250; i++) await write("x".repeat(1_000_000));
  child.stdin.end();
  const { out, complaints } = await ended;
  expect(out).toBe("50000 valid, 1 invalid.\n");
  const heldKiB = Number(/held (\d+)/.exec(complaints)?.[1]);
  expect(heldKiB).toBeGreaterThan(20_000);
  expect(heldKiB).toBeLessThan(200_000);
});
