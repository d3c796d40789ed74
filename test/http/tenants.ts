import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished } from "vitest";
import { endpointsOf } from "../../src/handlers/derived.ts";
import { concerns } from "../../src/handlers/index.ts";
import { hashOf } from "../../src/http/tokens.ts";
import { eventually } from "../rig/eventually.ts";
import { openStack, type Stack, type TestService } from "../rig/service.ts";

const all = ["publish", "recall", "read", "review", "admin"];
/** Whoever has the name as token may this. */
const tokens = [
  { name: "ops", tenant_id: "*", may: all },
  { name: "acme", tenant_id: "acme", may: all },
  { name: "evil", tenant_id: "evil", may: all },
  { name: "loki", tenant_id: "loki", may: all },
  { name: "reader", tenant_id: "acme", may: ["read"] },
  { name: "publisher", tenant_id: "acme", may: ["publish"] },
];

export async function startWithTokens(env: Record<string, string> = {}) {
  const folder = mkdtempSync(join(tmpdir(), "tokens-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "tokens");
  const lines = tokens.map((one) =>
    JSON.stringify({ ...one, sha256: hashOf(one.name).toString("hex") }),
  );
  writeFileSync(file, lines.join("\n"));
  const stack = await openStack();
  const service = await stack.start({ EXPERIENCE_HTTP_TOKENS: file, ...env });
  return { stack, service };
}

export interface Asked {
  readonly token?: string;
  readonly body?: unknown;
  readonly headers?: Record<string, string>;
  readonly method?: string;
}

export async function ask({ httpPort }: TestService, path: string, asked: Asked = {}) {
  const { token = "ops", body, headers = {}, method = "POST" } = asked;
  const response = await fetch(`http://127.0.0.1:${httpPort}${path}`, {
    method,
    headers: {
      "Content-Type": "application/json",
      ...(token !== "" && { Authorization: `Bearer ${token}` }),
      ...headers,
    },
    ...(body !== undefined && { body: typeof body === "string" ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, text };
}

export const endpoints = endpointsOf(concerns).filter(({ name }) => name !== "health-instance");
/** Stands in everything that belongs to acme. */
export const marker = "word_of_acme";
export const ids = {
  entry_id: "v-1",
  run_id: "v-1",
  user_id: "v-1",
  agent_id: "v-1",
  lesson_key: "v-1",
};

/** Something in every table that has tenants, all of it of acme. */
export async function fill(stack: Stack, service: TestService): Promise<void> {
  const event = { agent_id: "v-1", result: { ok: false, error_class: "timeout" } };
  const events = [1, 2, 3].map((n) => ({
    ...{ ...event, event_id: `e-${n}`, run_id: `v-${n}`, tool: { name: marker } },
  }));
  const policy = { from_scope: "project", to_scope: "project", trigger: "user_feedback" };
  for (const [path, body] of [
    ["extractor", events],
    ["runs/append", { run_id: "v-1", type: "run_started", data: { question: marker } }],
    ["review/create", { entry_id: "v-1", feedback_id: "v-1", summary: marker }],
    ["memory/save", { entry_id: "v-1", scope: "project", insight: marker, confidence: 1 }],
    ["memory/promote", { entry_id: "v-1", policy }],
  ] as const) {
    const { status, text } = await ask(service, `/api/v1/${path}`, { token: "acme", body });
    expect([path, status], text).toEqual([path, 200]);
  }
  const signal = { tenant_id: "acme", user_id: "v-1", type: marker };
  await stack.broker.js.publish("signals.page.opened", JSON.stringify(signal));
  const { sql } = stack.database;
  await eventually(
    // The service's own last word on a new lesson.
    async () => (await sql`SELECT FROM lesson_epochs WHERE tenant_id = 'acme'`).length > 0,
  );
  await eventually(
    async () => (await sql`SELECT FROM user_features WHERE tenant_id = 'acme'`).length > 0,
  );
}
