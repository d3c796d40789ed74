import { gzipSync } from "node:zlib";
import { headers } from "@nats-io/transport-node";
import type { ExportResult } from "@opentelemetry/core";
import { OTLPTraceExporter as JsonExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { OTLPTraceExporter as ProtobufExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import { JsonTraceSerializer, ProtobufTraceSerializer } from "@opentelemetry/otlp-transformer";
import { resourceFromAttributes } from "@opentelemetry/resources";
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from "@opentelemetry/sdk-trace-base";
import { expect, test } from "vitest";
import { eventually } from "../../rig/eventually.ts";
import { figures, openStack, type Stack, type TestService } from "../../rig/service.ts";

/** In everything that is content: it must be nowhere. */
const canary = "canary-7f3a";
const on = { EXPERIENCE_INGEST: "on" };

/** Spans as an instrumented agent makes them: an agent around a model's call and a tool's that fails. */
function agentSpans(count: number): ReadableSpan[] {
  const memory = new InMemorySpanExporter();
  const provider = new BasicTracerProvider({
    resource: resourceFromAttributes({ "service.name": "airline" }),
    spanProcessors: [new SimpleSpanProcessor(memory)],
  });
  const tracer = provider.getTracer("test");
  for (let i = 0; i < count; i++) {
    const content = { "gen_ai.input.messages": canary, "gen_ai.tool.call.arguments": canary };
    const chat = tracer.startSpan("chat gpt-5", { kind: 2 });
    chat.setAttributes({ "gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-5" });
    chat.setAttributes(content).end();
    const tool = tracer.startSpan("execute_tool pay");
    tool.setAttributes({ "gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "pay" });
    tool.setAttributes({ ...content, "error.type": "ToolError" });
    tool.setStatus({ code: 2, message: "payment amount does not add up" }).end();
    const agent = tracer.startSpan("invoke_agent airline");
    agent.setAttribute("gen_ai.operation.name", "invoke_agent").end();
  }
  return memory.getFinishedSpans();
}

const bytesOf = (body: Uint8Array | undefined): Buffer => Buffer.from(body ?? "");
const protobuf = (spans: ReadableSpan[]) =>
  bytesOf(ProtobufTraceSerializer.serializeRequest(spans));
const json = (spans: ReadableSpan[]) => bytesOf(JsonTraceSerializer.serializeRequest(spans));

function post(
  { httpPort }: Pick<TestService, "httpPort">,
  path: string,
  body: Uint8Array | string,
  headers: Record<string, string> = { "Content-Type": "application/x-protobuf" },
): Promise<Response> {
  const sent = typeof body === "string" ? body : new Uint8Array(body);
  return fetch(`http://127.0.0.1:${httpPort}${path}`, { method: "POST", body: sent, headers });
}

const stored = async ({ broker }: Stack) =>
  (await broker.jsm.streams.info("EXPERIENCE")).state.messages;

test("real exporters store what they export, however often they send it, and nobody's words", async () => {
  const stack = await openStack();
  const service = await stack.start(on);
  const spans = agentSpans(3);
  const url = `http://127.0.0.1:${service.httpPort}/v1/traces`;
  for (const exporter of [new ProtobufExporter({ url }), new JsonExporter({ url })]) {
    const result = await new Promise<ExportResult>((resolve) => exporter.export(spans, resolve));
    expect(result).toEqual({ code: 0 });
    await exporter.shutdown();
  }
  // Six calls, in two encodings, by two exporters.
  expect(await stored(stack)).toBe(6);
  const learned = () => stack.database.sql`SELECT agent_id, signals FROM agent_lessons`;
  await eventually(async () => (await learned()).length === 1);
  expect(await learned()).toMatchObject([{ agent_id: "airline", signals: { tool: "pay" } }]);

  const ended = () => stack.database.sql`SELECT 1 FROM agent_runs WHERE status = 'completed'`;
  await eventually(async () => (await ended()).length === 3);
  const rows = await stack.database.sql`
    SELECT row_to_json(l)::text AS text FROM agent_lessons l
    UNION ALL SELECT row_to_json(e)::text FROM agent_events e`;
  const kept = [
    JSON.stringify(rows),
    JSON.stringify(service.log),
    (await service.http("/metrics")).text,
  ];
  for (const name of ["EXPERIENCE", "RUNS"]) {
    const stream = await stack.broker.js.streams.get(name);
    const { state } = await stream.info();
    for (let seq = state.first_seq; seq <= state.last_seq; seq++) {
      kept.push((await stream.getMessage({ seq }))?.string() ?? "");
    }
  }
  expect(kept.join("\n")).not.toContain(canary);
  expect(await figures(service)).toMatchObject({
    'ingest_records_total{door="traces",dialect="genai",outcome="event"}': 12,
    'ingest_records_total{door="traces",dialect="genai",outcome="container_span"}': 6,
    'ingest_requests_total{door="traces",code="200"}': 2,
  });
});

test("answers are those of the specification, in the encoding of the request", async () => {
  const service = await (await openStack()).start(on);
  const asJson = { "Content-Type": "application/json" };
  const asProtobuf = { "Content-Type": "application/x-protobuf" };
  const spans = protobuf(agentSpans(1));
  const bomb = gzipSync(Buffer.alloc(64 * 1_024 * 1_024));
  const other = JSON.stringify({
    resourceSpans: [
      { scopeSpans: [{ spans: [{ traceId: "ab".repeat(16), spanId: "ab".repeat(8) }] }] },
    ],
  });
  const cases: [string, string, Uint8Array | string, Record<string, string>, number][] = [
    ["an empty request", "/v1/traces", new Uint8Array(), asProtobuf, 200],
    ["an empty request in JSON", "/v1/logs", "{}", asJson, 200],
    ["gzip", "/v1/traces", gzipSync(spans), { ...asProtobuf, "Content-Encoding": "gzip" }, 200],
    ["metrics", "/v1/metrics", Buffer.from([1, 2, 3]), asProtobuf, 200],
    ["spans of something else", "/v1/traces", other, asJson, 200],
    ["what is cut off", "/v1/traces", spans.subarray(0, -3), asProtobuf, 400],
    ["what is no JSON", "/v1/traces", "{", asJson, 400],
    ["logs at the wrong path", "/v1/traces", '{"resourceLogs":[]}', asJson, 400],
    ["what is no gzip", "/v1/traces", spans, { ...asProtobuf, "Content-Encoding": "gzip" }, 400],
    ["a gzip bomb", "/v1/traces", bomb, { ...asProtobuf, "Content-Encoding": "gzip" }, 413],
    ["a body past 8 MiB", "/v1/logs", new Uint8Array(9 * 1_024 * 1_024), asProtobuf, 413],
    ["another type", "/v1/traces", "hello", { "Content-Type": "text/plain" }, 415],
    ["another encoding", "/v1/traces", spans, { ...asProtobuf, "Content-Encoding": "br" }, 415],
  ];
  for (const [name, path, body, headers, status] of cases) {
    const response = await post(service, path, body, headers);
    const type = headers["Content-Type"]?.replace("text/plain", "application/json");
    expect([name, response.status, response.headers.get("Content-Type")]).toEqual([
      name,
      status,
      type,
    ]);
  }
  const pieces = new Blob([spans]).stream();
  const chunked = await fetch(`http://127.0.0.1:${service.httpPort}/v1/traces`, {
    ...{ method: "POST", body: pieces, headers: asProtobuf, duplex: "half" },
  });
  expect(chunked.status).toBe(200);
  const told = await (await post(service, "/v1/traces", other, asJson)).json();
  expect(told).toEqual({
    partialSuccess: {
      rejectedSpans: "0",
      errorMessage: expect.stringContaining("1 spans: not_an_agent"),
    },
  });
});

test("what got 503 while NATS was away comes again, and is stored once", async () => {
  const stack = await openStack();
  const service = await stack.start(on);
  const body = protobuf(agentSpans(20));
  expect((await post(service, "/v1/traces", body)).status).toBe(200);
  await stack.broker.kill();
  const refused = await post(service, "/v1/traces", protobuf(agentSpans(1)));
  expect([refused.status, refused.headers.get("Retry-After")]).toEqual([503, "1"]);
  expect(refused.headers.get("Content-Type")).toBe("application/x-protobuf");
  await stack.broker.restart();
  await eventually(async () => (await post(service, "/v1/traces", body)).status === 200, 20_000);
  expect(await stored(stack)).toBe(40);
});

test("a token's tenant decides, whatever a header or resource says", async () => {
  const stack = await openStack();
  const service = await stack.start({ ...on, EXPERIENCE_HTTP_TOKEN: "t0ken" });
  const body = json(agentSpans(1));
  const asJson = { "Content-Type": "application/json" };
  expect((await post(service, "/v1/traces", body, asJson)).status).toBe(401);
  const headers = { ...asJson, Authorization: "Bearer t0ken", "X-Tenant-ID": "acme" };
  expect((await post(service, "/v1/traces", body, headers)).status).toBe(200);
  const stream = await stack.broker.js.streams.get("EXPERIENCE");
  expect((await stream.getMessage({ seq: 1 }))?.json()).toMatchObject({ tenant_id: "acme" });
});

test("without a token nobody behind a proxy is served, and where it is off, nobody", async () => {
  const stack = await openStack();
  const service = await stack.start(on);
  const headers = { "Content-Type": "application/json", "X-Forwarded-For": "10.0.0.9" };
  expect((await post(service, "/v1/traces", "{}", headers)).status).toBe(403);
  expect((await post(service, "/ingest/hooks/codex", "{}", headers)).status).toBe(403);
  const off = await stack.start();
  expect((await post(off, "/v1/traces", "{}", { "Content-Type": "application/json" })).status).toBe(
    404,
  );
});

test("hooks are stored under the identity that logs and sessions have, and answered with an object", async () => {
  const stack = await openStack();
  const service = await stack.start(on);
  const hook = {
    ...{ session_id: "s1", cwd: "/home/ana/shop", hook_event_name: "PostToolUseFailure" },
    ...{ tool_name: "Bash", tool_use_id: "toolu_1", tool_input: { command: canary } },
    error: "Exit code 1\nError: Cannot find module 'express'",
  };
  const send = (body: object, agent = "claude-code") =>
    post(service, `/ingest/hooks/${agent}`, JSON.stringify(body), {
      "Content-Type": "application/json",
    });
  const answer = await send(hook);
  expect([answer.status, await answer.json()]).toEqual([200, {}]);
  const log = (attributes: Record<string, string>) => ({
    resourceLogs: [
      {
        resource: { attributes: { "service.name": "claude-code" } },
        scopeLogs: [
          { scope: { name: "com.anthropic.claude_code.events" }, logRecords: [{ attributes }] },
        ],
      },
    ],
  });
  const told = {
    "event.name": "tool_result",
    tool_use_id: "toolu_1",
    tool_name: "Bash",
    success: "false",
  };
  const logged = await post(
    service,
    "/v1/logs",
    JSON.stringify(log({ ...told, "session.id": "s1" })),
    {
      "Content-Type": "application/json",
    },
  );
  expect(logged.status).toBe(200);
  expect(await stored(stack)).toBe(1);
  expect((await send(hook, "nobody")).status).toBe(404);
  await send({ session_id: "s1", hook_event_name: "SessionEnd", reason: "logout" });
  const runs = () =>
    stack.database.sql`SELECT status, agent_id FROM agent_runs WHERE run_id = 's1'`;
  await eventually(async () => (await runs())[0]?.["status"] === "completed");
});

test("the answer to a failure brings back the lesson about it, as facts", async () => {
  const stack = await openStack();
  const service = await stack.start({ ...on, LESSON_TRIAL_SHARE: "1" });
  const fail = async (session: number) => {
    const hook = {
      ...{ session_id: `s${session}`, cwd: "/home/ana/shop", tool_name: "Bash" },
      ...{ hook_event_name: "PostToolUseFailure", tool_use_id: `toolu_${session}` },
      error: "Exit code 1\nError: request timed out",
    };
    const answer = await post(service, "/ingest/hooks/claude-code", JSON.stringify(hook), {
      "Content-Type": "application/json",
    });
    return (await answer.json()) as { hookSpecificOutput?: Record<string, string> };
  };
  let session = 0;
  let told: Record<string, string> | undefined;
  // Recall follows the tables, and a slow machine may take longer than an agent waits: then another session asks.
  await eventually(async () => {
    session += 1;
    told = (await fail(session)).hookSpecificOutput;
    return told !== undefined;
  }, 20_000);
  expect(session).toBeGreaterThan(3);
  expect(told?.["hookEventName"]).toBe("PostToolUseFailure");
  expect(told?.["additionalContext"]).toContain("Bash");
});

test("tasks of A2A are runs, and CloudEvents are events, on the subject and by request", async () => {
  const stack = await openStack();
  const service = await stack.start(on);
  const state = (name: string) => ({
    statusUpdate: { taskId: "t1", contextId: "c1", status: { state: `TASK_STATE_${name}` } },
  });
  const sent = await post(
    service,
    "/ingest/runs/a2a?agent_id=booker",
    JSON.stringify([state("WORKING"), state("FAILED")]),
    { "Content-Type": "application/json" },
  );
  expect(await sent.json()).toEqual({ events: 2, refused: 0 });
  const runs = () =>
    stack.database.sql`SELECT status, agent_id FROM agent_runs WHERE run_id = 't1'`;
  await eventually(async () => (await runs())[0]?.["status"] === "failed");
  expect(await runs()).toMatchObject([{ agent_id: "booker" }]);

  const { nc, js } = stack.broker;
  const data = { tool: { name: "book" }, result: { ok: false, error_class: "seat is taken" } };
  const cloudEvent = (id: string) => ({
    ...{ specversion: "1.0", id, source: "/agents/airline", type: "agent.experience.v1", data },
  });
  const structured = headers();
  structured.set("Content-Type", "application/cloudevents+json");
  await js.publish("agent.experience.v1.airline", JSON.stringify(cloudEvent("1")), {
    headers: structured,
  });
  const binary = headers();
  for (const [name, value] of Object.entries({ ...cloudEvent("2"), data: "" })) {
    if (value !== "") binary.set(`ce-${name}`, String(value));
  }
  await js.publish("agent.experience.v1.airline", JSON.stringify(data), { headers: binary });
  await nc.request("experience.extractor", JSON.stringify(cloudEvent("3")));
  const learned = () => stack.database.sql`SELECT agent_id, evidence FROM agent_lessons`;
  await eventually(async () => (await learned()).length === 1);
  const [lesson] = await learned();
  expect(lesson?.["agent_id"]).toBe("airline");
  expect(lesson?.["evidence"].event_ids.toSorted()).toEqual(
    [1, 2, 3].map((id) => `/agents/airline#${id}`),
  );
});

test("a span, a log record or a hook is explained, and nothing is stored", async () => {
  const stack = await openStack();
  await stack.start();
  const ask = async (request: object) =>
    (await stack.broker.nc.request("experience.ingest.explain", JSON.stringify(request))).json();
  const span = { traceId: "ab".repeat(16), spanId: "ab".repeat(8), attributes: {} };
  expect(await ask({ span })).toMatchObject({ dialect: "none", reason: "not_an_agent" });
  const hook = {
    hook_event_name: "PostToolUse",
    tool_name: "Read",
    tool_use_id: "t1",
    session_id: "s",
  };
  expect(await ask({ hook, agent: "claude-code" })).toMatchObject({
    event: { event_id: "cc:t1", result: { ok: true } },
    because: "it counts",
  });
  expect(await ask({})).toMatchObject({ code: "bad_request" });
  expect(await stored(stack)).toBe(0);
});

test("spans of a scope that is left out are counted as such and stored nowhere", async () => {
  const stack = await openStack();
  const service = await stack.start({ ...on, EXPERIENCE_OTLP_SCOPES: "!test" });
  const answer = await post(service, "/v1/traces", protobuf(agentSpans(1)));
  expect(answer.status).toBe(200);
  expect(await stored(stack)).toBe(0);
  const left = 'ingest_records_total{door="traces",dialect="none",outcome="scope"}';
  expect((await figures(service))[left]).toBe(3);
});
