import { headers } from "@nats-io/transport-node";
import { expect, test } from "vitest";
import { deadLetterHeaders } from "../../src/runtime/dead-letter-message.ts";
import { eventually } from "../rig/eventually.ts";
import { openStack, type Stack } from "../rig/service.ts";
import { run } from "./command.ts";

const dlq = (stack: Stack, args: string) => run(`dlq ${args}`, { NATS_URL: stack.broker.url });

const openLetters = async ({ broker: { jsm } }: Stack) =>
  (await jsm.streams.info("DEAD_LETTERS")).state.messages;

async function withLetters(count: number) {
  const stack = await openStack();
  const service = await stack.start();
  const { js } = stack.broker;
  for (let i = 0; i < count; i++) await js.publish("signals.task.synced", `bad ${i}`);
  await eventually(async () => (await openLetters(stack)) === count);
  return { stack, service };
}

test("ls shows the newest first, as a table and as JSON", async () => {
  const { stack } = await withLetters(3);
  const { out, code } = await dlq(stack, "ls --limit 2");
  const [header, ...lines] = out.trim().split("\n");
  expect(header).toMatch(/^ID +AT +FROM +SUBJECT +REPLAYED +CODE +REASON$/);
  expect(lines.map((line) => line.split(/ +/)[0])).toEqual(["3", "2"]);
  expect(lines[0]).toContain("SIGNALS/feature-pipeline-signals  signals.task.synced");
  expect(code).toBe(0);
  const json = JSON.parse((await dlq(stack, "ls --json --stream SIGNALS --since 1h")).out);
  expect(json.dead_letters).toHaveLength(3);
  expect(json.cursor).toBeNull();
});

test("show prints one letter, and ends with 3 where there is none", async () => {
  const { stack } = await withLetters(1);
  const { out, code } = await dlq(stack, "show 1");
  expect(out).toMatch(/reason +not JSON/);
  expect(out).toMatch(/Dead-Letter-Subject +signals.task.synced/);
  expect(out.trim().split("\n").at(-1)).toBe("bad 0");
  expect(code).toBe(0);
  const none = await dlq(stack, "show 99");
  expect(none).toMatchObject({ code: 3, complaints: expect.stringContaining("no dead letter 99") });
});

test("replay counts, replays with progress, and says what was left", async () => {
  const { stack } = await withLetters(150);
  const forged = headers();
  forged.set(deadLetterHeaders.subject, "$JS.API.STREAM.DELETE.SIGNALS");
  await stack.broker.js.publish("dead.SIGNALS.feature-pipeline-signals", "", { headers: forged });
  const dry = await dlq(stack, "replay --all --dry-run");
  expect(dry).toMatchObject({ code: 0, out: "151 would be replayed.\n" });
  const done = await dlq(stack, "replay --all");
  expect(done.out).toBe("150 of 151 replayed.\n");
  expect(done.complaints).toMatch(/replaying #+ 151\/151 \(100 %\)/);
  expect(done.complaints).toContain("is not consumed by this service");
  expect(done.code).toBe(1);
});

test("purge wants a filter and a yes, and tells the service why", async () => {
  const { stack, service } = await withLetters(2);
  expect(await dlq(stack, "purge --stream SIGNALS")).toMatchObject({ code: 2, out: "" });
  expect(await dlq(stack, "purge --yes")).toMatchObject({ code: 2, out: "" });
  expect(await openLetters(stack)).toBe(2);
  expect(await dlq(stack, "purge 1 --yes --note trial")).toMatchObject({
    code: 0,
    out: "1 purged.\n",
  });
  expect(await openLetters(stack)).toBe(1);
  expect(service.log).toContainEqual(
    expect.objectContaining({ msg: "dead letters purged", note: "trial", letters: 1 }),
  );
});

test("control characters of a message do not reach the terminal", async () => {
  const { stack } = await withLetters(0);
  const nasty = headers();
  nasty.set(deadLetterHeaders.reason, "red \u001b[31m alert \u202e");
  await stack.broker.js.publish("dead.SIGNALS.x", "\u001b[2Jgone", { headers: nasty });
  const listed = await dlq(stack, "ls");
  const shown = await dlq(stack, "show 1");
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
  expect(listed.out + shown.out).not.toMatch(/[\u001b\u202e]/);
  expect(listed.out).toContain("red  [31m alert");
});

for (const [args, code, said] of [
  ["--help", 0, "Usage: experience-bus"],
  ["--version", 0, "."],
  ["dlq replay --help", 0, "Examples:"],
  ["dlq ls --limit none", 2, "a whole number from 1 on"],
  ["dlq ls --open --replayed", 2, "cannot be used with"],
  ["dlq nonsense", 2, "unknown command"],
  ["dlq ls --server nats://127.0.0.1:1", 1, "cannot connect to NATS at nats://127.0.0.1:1"],
  ["dlq ls --server http://x", 2, "NATS_URL must be like"],
] as const) {
  test(`experience-bus ${args} ends with ${code}`, async () => {
    const { out, complaints, code: ended } = await run(args);
    expect(out + complaints).toContain(said);
    expect(ended).toBe(code);
  });
}

test("without a service the command says that nobody answers", async () => {
  const stack = await openStack();
  const { complaints, code } = await dlq(stack, "ls");
  expect(complaints).toContain("no responders on experience.deadletters.list");
  expect(code).toBe(1);
});
