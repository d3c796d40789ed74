import { expect, test } from "vitest";
import { openStack } from "../rig/service.ts";

const ask = (port: number, path: string) => fetch(`http://127.0.0.1:${port}${path}`);

test("metrics are Prometheus text: each sample has its help and type, and the text ends with its line", async () => {
  const stack = await openStack();
  const { httpPort } = await stack.start();
  const response = await ask(httpPort, "/metrics");
  expect(response.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
  const text = await response.text();
  expect(text.endsWith("\n")).toBe(true);
  const typed = new Set([...text.matchAll(/^# TYPE (\S+) \S+$/gm)].map(([, name]) => name));
  const helped = new Set([...text.matchAll(/^# HELP (\S+) \S+/gm)].map(([, name]) => name));
  for (const [, name = ""] of text.matchAll(/^([a-z]\w*)[ {]/gm)) {
    const family = typed.has(name) ? name : name.replace(/_(bucket|sum|count)$/, "");
    expect([typed.has(family), helped.has(family)], name).toEqual([true, true]);
  }
});

test("every metric of the contract is there before anything has happened", async () => {
  const stack = await openStack();
  const service = await stack.start();
  const { text } = await service.http("/metrics");
  for (const name of [
    "lessons_extracted_total",
    "lessons_inserted_total",
    "lessons_duplicate_total",
    "lessons_published_total",
    "lesson_sightings_total",
    "experience_events_total",
    "js_messages_acked_total",
    "js_messages_naked_total",
    "js_messages_redelivered_total",
    "js_messages_dead_lettered_total",
    "js_consumer_pending",
    "js_consumer_ack_pending",
    "js_consumer_redelivered",
    "kv_cas_conflicts_total",
    "postgres_statement_duration_seconds",
    "postgres_errors_total",
    "dependency_up",
    "experience_bus_info",
    "experience_bus_ready",
    "lessons_unpublished",
    "experience_batch_duration_seconds",
    "lesson_delay_seconds",
    "process_cpu_seconds_total",
  ]) {
    expect(text).toContain(`# TYPE ${name} `);
  }
});

test("health is JSON, the probes are text, and other paths are not found", async () => {
  const stack = await openStack();
  const { httpPort } = await stack.start();
  const type = async (path: string) => (await ask(httpPort, path)).headers.get("content-type");
  expect(await type("/health")).toContain("application/json");
  expect(await type("/livez")).toContain("text/plain");
  expect(await type("/readyz")).toContain("text/plain");
  expect((await ask(httpPort, "/nothing-is-here")).status).toBe(404);
});

test("a metric that cannot be asked for while NATS is away does not keep the others back", async () => {
  const stack = await openStack();
  const service = await stack.start();
  await stack.broker.kill();
  const { status, text } = await service.http("/metrics");
  expect(status).toBe(200);
  expect(text).toContain("lessons_published_total 0");
  await stack.broker.restart();
});
