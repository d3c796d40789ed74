import {
  constants,
  createCipheriv,
  generateKeyPairSync,
  publicEncrypt,
  randomBytes,
} from "node:crypto";
import { writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { eventually } from "../../rig/eventually.ts";
import { openStack, type Stack } from "../../rig/service.ts";
import { plan, startPlanner, step, untilTicked } from "./planner.ts";

const hour = 3_600_000;
const past = new Date(Date.now() - hour).toISOString();
const base = { user_id: "ada", op: "insert" };

const agent = (id: string, data: object = {}) => ({
  ...{ ...base, table: "agents", record_id: id },
  data: { name: `Agent ${id}`, state: "active", policy: { search: "auto" }, ...data },
});
const mission = (id: string, agentId: string | null, data: object = {}) => ({
  ...{ ...base, table: "missions", record_id: id },
  data: {
    ...{ title: `Mission ${id}`, objective: "news", state: "active", next_run_at: past },
    ...{ every_seconds: 86_400, agent_id: agentId },
    ...data,
  },
});

async function request(stack: Stack, subject: string, body: object = {}) {
  const reply = await stack.broker.nc.request(subject, JSON.stringify(body), { timeout: 10_000 });
  return reply.json<Record<string, unknown>>();
}

/** Stores changes, and waits until they are in the snapshots. */
async function know(stack: Stack, changes: readonly object[]): Promise<void> {
  const reply = await request(stack, "experience.changes.append", changes as object);
  expect(reply).toMatchObject({ stored: changes.length, invalid: [] });
  await eventually(async () => {
    const info = await stack.broker.jsm.consumers.info("CHANGES", "mission-snapshots-v1");
    return info.num_pending + info.num_ack_pending === 0;
  });
}

const iterationsOf = async (stack: Stack, id: string) =>
  (await request(stack, "experience.missions.iterations", { user_id: "ada", mission_id: id }))[
    "iterations"
  ] as readonly Record<string, unknown>[];

async function metric(service: { http(path: string): Promise<{ text: string }> }, name: string) {
  const { text } = await service.http("/metrics");
  return Number(new RegExp(`^${name.replaceAll(/[{}"]/g, "\\$&")} (\\S+)$`, "m").exec(text)?.[1]);
}

const settings = { MISSION_PLANNER: "nats:planner", MISSION_TICK_SECONDS: "3600" };

test("each gate holds its missions back, and what was decided is counted and published", async () => {
  const stack = await openStack();
  const service = await stack.start(settings);
  await untilTicked(service);
  const asked = startPlanner(stack.broker.nc);
  await know(stack, [
    ...[
      agent("a-on"),
      agent("a-paused", { state: "paused" }),
      agent("a-gone", { state: "archived" }),
    ],
    agent("a-spent", { max_tokens_per_day: 0 }),
    ...[mission("m-on", "a-on"), mission("m-paused", "a-paused"), mission("m-gone", "a-gone")],
    ...[mission("m-spent", "a-spent"), mission("m-free", null), mission("m-unknown", "nobody")],
  ]);
  const counts = await request(stack, "experience.missions.tick");
  expect(counts).toMatchObject({
    ...{ due: 6, started: 2, finished: true },
    decisions: {
      ...{ ran: 1, "skipped-archived": 2, "skipped-paused": 1 },
      ...{ "skipped-concurrency": 0, "skipped-budget": 1 },
    },
  });
  await eventually(async () => (await metric(service, "mission_plans_written_back_total")) === 2);
  expect(asked.map(({ mission_id }) => mission_id).sort()).toEqual(["m-free", "m-on"]);
  expect(asked.find(({ mission_id }) => mission_id === "m-on")).toMatchObject({
    ...{ prompt: expect.stringMatching(/^<agent_context>\nname: Agent a-on/) },
    tools: [{ name: "search", mode: "auto" }],
  });
  const [one] = await iterationsOf(stack, "m-on");
  const iterationId = asked.find(({ mission_id }) => mission_id === "m-on")?.iteration_id;
  const actor = {
    ...{ kind: "ai", principal_id: "a-on", display_name: "Agent a-on", mission_id: "m-on" },
    ...{ iteration_id: iterationId, rationale: plan.summary },
  };
  expect(one).toMatchObject({
    ...{ iteration_id: iterationId, due_at: past, tokens: 10, overall_status: "approved", actor },
  });
  const { message } = await stack.broker.jsm.streams
    .getMessage("CHANGES", { last_by_subj: "agent.change.v1.missions.m-on" })
    .then((stored) => ({ message: stored?.json<Record<string, unknown>>() }));
  expect(message).toMatchObject({ event_id: iterationId, table: "missions", actor });
  const [free] = await iterationsOf(stack, "m-free");
  expect(free).toMatchObject({
    ...{ overall_status: "awaiting-review", actor: { principal_id: "legacy:ai-default" } },
  });
  for (const [decision, count] of Object.entries(counts["decisions"] as Record<string, number>)) {
    expect(await metric(service, `agent_decisions_total{decision="${decision}"}`)).toBe(count);
  }
  const moved = await request(stack, "experience.missions.get", {
    user_id: "ada",
    mission_id: "m-on",
  });
  expect(Date.parse(String(moved["next_run_at"]))).toBeGreaterThan(Date.now());
  const experience = await stack.broker.jsm.streams.getMessage("EXPERIENCE", {
    last_by_subj: "agent.experience.v1.a-on",
  });
  expect(experience?.json()).toMatchObject({ result: { ok: true }, run_id: iterationId });
  expect(service.fatal).toEqual([]);
});

test("a planner that answers nonsense is asked again after a pause, and ends nothing", async () => {
  const stack = await openStack();
  const service = await stack.start({
    ...{ ...settings, MISSION_TICK_SECONDS: "0.1", MISSION_PLANNER_TIMEOUT_SECONDS: "2" },
  });
  const bad: unknown[] = [
    "Certainly!",
    [],
    { summary: "x" },
    { ...plan, steps: [{ ...step, tool_name: "wipe" }] },
    "x".repeat(900_000),
    null,
  ];
  const asked = startPlanner(stack.broker.nc, () => (bad.length > 0 ? bad.shift() : plan));
  await know(stack, [
    agent("a", { policy: { wipe: "deny" } }),
    mission("m", "a", { every_seconds: null }),
  ]);
  await eventually(async () => (await iterationsOf(stack, "m")).length === 1, 60_000);
  // On a busy machine an answer may come too late, and is asked for once more.
  expect(asked.length).toBeGreaterThanOrEqual(7);
  expect(asked.map(({ token }) => token)).toEqual(asked.map((_, i) => i + 1));
  const parseFailures = await metric(service, "mission_parse_failures_total");
  const errors = await metric(service, "mission_errors_total");
  expect(parseFailures).toBeGreaterThan(0);
  expect(parseFailures).toBeLessThanOrEqual(5);
  expect(parseFailures + errors).toBe(asked.length - 1);
  expect(await metric(service, 'agent_decisions_total{decision="ran"}')).toBe(asked.length);
  const after = await request(stack, "experience.missions.get", {
    user_id: "ada",
    mission_id: "m",
  });
  expect(after).toMatchObject({ next_run_at: null, claim: { failures: 0, expires_at: null } });
  expect(service.fatal).toEqual([]);
}, 120_000);

test("what an agent has learned about missions is in its prompts", async () => {
  const stack = await openStack();
  const service = await stack.start({
    ...settings,
    LESSON_TRIAL_SHARE: "1",
    MISSION_TICK_SECONDS: "0.2",
  });
  await untilTicked(service);
  const answers = ["no plan", plan];
  const asked = startPlanner(stack.broker.nc, () => answers.shift());
  const failure = { agent_id: "a", task_type: "mission", tool: { name: "search" } };
  const failures = Array.from({ length: 3 }, (_, i) => ({
    ...{ ...failure, event_id: `e-${i}`, run_id: `r-${i}` },
    result: { ok: false, error_class: "http_429", http_status: 429 },
  }));
  await request(stack, "experience.extractor", failures);
  let block = "";
  await eventually(async () => {
    const of = { agent_id: "a", task_type: "mission" };
    block = String((await request(stack, "experience.lessons.recall", of))["block"]);
    return block.includes("search");
  }, 20_000);
  await know(stack, [agent("a"), mission("m", "a")]);
  await eventually(() => asked.length === 2, 20_000);
  // The second attempt is the same run, which is given each lesson once.
  for (const { prompt } of asked) expect(prompt).toContain(`</agent_context>\n\n${block}`);
}, 60_000);

test("a chat completions endpoint plans with encrypted inputs, as far as the grant allows", async () => {
  const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2_048 });
  const file = join(tmpdir(), `mission-key-${process.pid}.pem`);
  writeFileSync(file, privateKey.export({ type: "pkcs8", format: "pem" }));
  const bodies: { messages: { content: string }[] }[] = [];
  const http = createServer((incoming, outgoing) => {
    incoming.setEncoding("utf8");
    let text = "";
    incoming.on("data", (chunk: string) => {
      text += chunk;
    });
    incoming.on("end", () => {
      expect(incoming.headers.authorization).toBe("Bearer s3cret");
      bodies.push(JSON.parse(text));
      const { tokens_used: _, ...said } = plan;
      const choices = [{ message: { content: JSON.stringify(said) } }];
      outgoing.end(JSON.stringify({ choices, usage: { prompt_tokens: 7, completion_tokens: 5 } }));
    });
  });
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void http.close());
  const { port } = http.address() as { port: number };
  const stack = await openStack();
  const service = await stack.start({
    ...{ ...settings, MISSION_PLANNER: `http://127.0.0.1:${port}/v1/chat/completions` },
    ...{ MISSION_PLANNER_MODEL: "m", MISSION_PLANNER_KEY: "s3cret", MISSION_PRIVATE_KEY: file },
  });
  await untilTicked(service);
  const key = randomBytes(32);
  const wrapped_key = publicEncrypt(
    { key: publicKey, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: "sha256" },
    key,
  ).toString("base64");
  const grant = {
    wrapped_key,
    tables: ["notes"],
    record_ids: ["n1"],
    expires_at: Date.now() + hour,
  };
  const note = (id: string, data: object) => ({ ...base, table: "notes", record_id: id, data });
  await know(stack, [
    note("n1", { text: encrypt("the plaintext", key), other: encrypt("x", randomBytes(32)) }),
    note("n2", { text: encrypt("out of scope", key) }),
    mission("m", null, { grant, inputs: ["n1", "n2"].map((id) => ({ table: "notes", id })) }),
    mission("late", null, {
      ...{
        grant: { ...grant, expires_at: "2020-01-01T00:00:00Z" },
        inputs: [{ table: "notes", id: "n1" }],
      },
    }),
  ]);
  await request(stack, "experience.missions.tick");
  await eventually(async () => (await metric(service, "mission_plans_written_back_total")) === 2);
  const prompts = bodies.map(({ messages }) => messages[0]?.content ?? "").join();
  expect(prompts).toContain("the plaintext");
  expect(prompts).not.toMatch(/enc:1:|out of scope/);
  const audit = await stack.database.sql<{ n: string }[]>`
    SELECT record_id || ' ' || field || ' ' || outcome AS n FROM mission_decrypt_audit ORDER BY 1`;
  expect(audit.map(({ n }) => n)).toEqual([
    "n1 other failed",
    "n1 text ok",
    "n2 text scope-violation",
  ]);
  const page = async (cursor: string | null) => {
    const of = { user_id: "ada", mission_id: "m", limit: 2, ...(cursor && { cursor }) };
    const reply = await request(stack, "experience.missions.audit", of);
    return reply as { attempts: Record<string, string>[]; cursor: string | null };
  };
  const first = await page(null);
  const second = await page(first.cursor);
  const told = [...first.attempts, ...second.attempts].map(
    ({ record_id, field, outcome }) => `${record_id} ${field} ${outcome}`,
  );
  expect([told.sort(), second.cursor]).toEqual([audit.map(({ n }) => n), null]);
  expect(await metric(service, 'mission_decrypts_total{table="notes"}')).toBe(1);
  expect(await metric(service, 'mission_grant_scope_violations_total{table="notes"}')).toBe(1);
  expect(await metric(service, 'mission_grant_skips_total{reason="expired"}')).toBe(1);
  expect(await metric(service, "mission_tokens_used_total")).toBe(24);
  const logged = JSON.stringify(service.log);
  expect(logged).not.toContain(key.toString("base64"));
  expect(logged).not.toMatch(/s3cret|plaintext/);
});

function encrypt(text: string, key: Buffer): string {
  const iv = randomBytes(12);
  const cipher = createCipheriv("aes-256-gcm", key, iv);
  const sealed = Buffer.concat([cipher.update(text), cipher.final(), cipher.getAuthTag()]);
  return `enc:1:${iv.toString("base64")}.${sealed.toString("base64")}`;
}
