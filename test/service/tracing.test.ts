import { randomBytes } from "node:crypto";
import { headers, type MsgHdrs } from "@nats-io/transport-node";
import { expect, test } from "vitest";
import { failed, kinds, openCollector } from "../rig/collector.ts";
import { eventually } from "../rig/eventually.ts";
import { startReplicaOfTest } from "../rig/replica.ts";
import { openStack, type Stack } from "../rig/service.ts";
import { failure, failures, type WireEvent } from "../rig/traffic.ts";

/** As somebody who traces would write it. */
function newTrace(flags = "01") {
  const [traceId, spanId] = [randomBytes(16).toString("hex"), randomBytes(8).toString("hex")];
  return { traceId, spanId, traceparent: `00-${traceId}-${spanId}-${flags}` };
}

function headersWith(values: Record<string, string>): MsgHdrs {
  const all = headers();
  for (const [name, value] of Object.entries(values)) all.set(name, value);
  return all;
}

const publish = ({ broker: { js } }: Stack, event: WireEvent | string, values = {}) =>
  js.publish(
    "agent.experience.v1.scout",
    typeof event === "string" ? event : JSON.stringify(event),
    { headers: headersWith(values) },
  );

/** Two failures that nobody traces, and a third that completes the lesson. */
async function publishLesson(stack: Stack, values: Record<string, string>): Promise<void> {
  for (const event of failures(2)) await publish(stack, event);
  // The first batch of a new bucket reads the stream again; by then the third event must not be in it.
  await eventually(() => isIdle(stack));
  await publish(stack, failure(), values);
}

async function messages({ broker: { js, jsm } }: Stack, stream: string) {
  const { state } = await jsm.streams.info(stream);
  const source = await js.streams.get(stream);
  const seqs = Array.from({ length: state.messages }, (_, i) => state.first_seq + i);
  return await Promise.all(seqs.map((seq) => source.getMessage({ seq })));
}

async function publishedLesson(stack: Stack) {
  await eventually(async () => (await messages(stack, "LESSONS")).length === 1);
  const [message] = await messages(stack, "LESSONS");
  return message?.header;
}

async function isIdle({ broker: { jsm } }: Stack): Promise<boolean> {
  const { state } = await jsm.streams.info("EXPERIENCE");
  const info = await jsm.consumers.info("EXPERIENCE", "experience-learner-v1");
  return info.ack_floor.stream_seq >= state.last_seq;
}

/** Of those that read EXPERIENCE the extractor alone: each consumer has spans of its own. */
const EXPERIENCE_CONCERNS = "extractor,features,runs,deadletters";

async function openTraced(env: Record<string, string> = {}) {
  const [stack, collector] = await Promise.all([openStack(), openCollector()]);
  const service = await stack.start({ EXPERIENCE_CONCERNS, ...collector.env, ...env });
  const spansOf = (traceId: string) => collector.spans.filter((one) => one.traceId === traceId);
  return { stack, service, spansOf, spans: collector.spans };
}

test("a trace goes on from the message through its processing to the lesson", async () => {
  const { stack, service, spansOf } = await openTraced();
  const { traceId, spanId, traceparent } = newTrace();
  await publishLesson(stack, { traceparent, tracestate: "vendor=7", "Nats-Msg-Id": "third" });
  const lesson = await publishedLesson(stack);
  await service.stop();
  expect(spansOf(traceId)).toHaveLength(2);
  const processed = spansOf(traceId).find(({ kind }) => kind === kinds.consumer);
  const published = spansOf(traceId).find(({ kind }) => kind === kinds.producer);
  expect(processed).toMatchObject({
    name: "process agent.experience.v1.>",
    parentSpanId: spanId,
    attributes: {
      "messaging.system": "nats",
      "messaging.operation.type": "process",
      "messaging.operation.name": "process",
      "messaging.destination.name": "agent.experience.v1.>",
      "messaging.consumer.group.name": "experience-learner-v1",
      "messaging.message.id": "third",
      "experience_bus.outcome": "acked",
    },
    resource: { "service.name": "experience-bus" },
  });
  expect(published).toMatchObject({
    name: "publish agent.lesson.v1",
    parentSpanId: processed?.spanId,
    attributes: {
      "messaging.system": "nats",
      "messaging.operation.type": "send",
      "messaging.operation.name": "publish",
      "messaging.destination.name": "agent.lesson.v1",
      "messaging.message.id": lesson?.get("Nats-Msg-Id"),
    },
  });
  expect(lesson?.get("traceparent")).toBe(`00-${traceId}-${published?.spanId}-01`);
  expect(lesson?.get("tracestate")).toBe("vendor=7");
});

test("the span of a batch counts its messages and is linked with the traced ones", async () => {
  const { stack, service, spans, spansOf } = await openTraced();
  const { traceId, spanId, traceparent } = newTrace();
  await publish(stack, failure(), { traceparent });
  await eventually(() => isIdle(stack));
  await service.stop();
  const [processed] = spansOf(traceId);
  const batch = spans.find((one) => one.name === "process_batch agent.experience.v1.>");
  expect(batch?.attributes["messaging.batch.message_count"]).toBe(1);
  expect(batch?.links).toMatchObject([{ traceId, spanId }]);
  expect(processed?.links).toMatchObject([{ traceId: batch?.traceId, spanId: batch?.spanId }]);
});

test.each([
  ["no traceparent", {}],
  ["an invalid traceparent", { traceparent: "00-not-a-trace-01" }],
  ["a traceparent of zeros", { traceparent: `00-${"0".repeat(32)}-${"0".repeat(16)}-01` }],
])(
  "messages with %s have no span but that of their batch, and a lesson without trace",
  async (_, values: Record<string, string>) => {
    const { stack, service, spans } = await openTraced();
    await publishLesson(stack, values);
    const lesson = await publishedLesson(stack);
    await eventually(() => isIdle(stack));
    await service.stop();
    expect(lesson?.has("traceparent")).toBe(false);
    const names = new Set(spans.map(({ name }) => name));
    expect(names).toEqual(new Set(["process_batch agent.experience.v1.>"]));
  },
);

test("a trace that is not sampled goes on to the lesson, but nothing of it is exported", async () => {
  const { stack, service, spans, spansOf } = await openTraced();
  const { traceId, spanId, traceparent } = newTrace("00");
  await publishLesson(stack, { traceparent });
  const lesson = await publishedLesson(stack);
  await eventually(() => isIdle(stack));
  await service.stop();
  expect(lesson?.get("traceparent")).toMatch(new RegExp(`^00-${traceId}-[0-9a-f]{16}-00$`));
  expect(lesson?.get("traceparent")).not.toContain(spanId);
  expect(spansOf(traceId)).toEqual([]);
  expect(spans.flatMap(({ links }) => links)).toEqual([]);
});

test("a message without an effect has its span, too", async () => {
  const { stack, service, spansOf } = await openTraced({ EXPERIENCE_OK_SAMPLE_PCT: "0" });
  const { traceId, traceparent } = newTrace();
  await publish(stack, failure({ result: { ok: true } }), { Traceparent: traceparent });
  await eventually(() => isIdle(stack));
  await service.stop();
  expect(spansOf(traceId)).toMatchObject([{ attributes: { "experience_bus.outcome": "acked" } }]);
});

test("the span of a dead letter says why, and its trace goes on when it is replayed", async () => {
  const { stack, service, spansOf } = await openTraced();
  const { traceId, spanId, traceparent } = newTrace();
  await publish(stack, "bad", { traceparent });
  await eventually(async () => (await messages(stack, "DEAD_LETTERS")).length === 1);
  const [letter] = await messages(stack, "DEAD_LETTERS");
  expect(letter?.header.get("traceparent")).toBe(traceparent);
  const request = JSON.stringify({ id: String(letter?.seq) });
  await stack.broker.nc.request("experience.deadletters.replay", request, { timeout: 5_000 });
  await eventually(() => isIdle(stack));
  await service.stop();
  expect(spansOf(traceId)).toHaveLength(2);
  for (const span of spansOf(traceId)) {
    expect(span).toMatchObject({
      parentSpanId: spanId,
      status: { code: failed },
      attributes: { "error.type": "bad_request", "experience_bus.outcome": "dead_letter" },
    });
  }
});

test("a trace goes on from a request through the stored event to the lesson", async () => {
  const { stack, service, spansOf } = await openTraced();
  const { traceId, spanId, traceparent } = newTrace();
  await stack.broker.nc.request("experience.extractor", JSON.stringify(failures(3)), {
    timeout: 5_000,
    headers: headersWith({ traceparent }),
  });
  const lesson = await publishedLesson(stack);
  await eventually(() => isIdle(stack));
  await service.stop();
  const named = (name: string) => spansOf(traceId).filter((one) => one.name === name);
  const [request] = named("experience.extractor");
  const stored = named("publish agent.experience.v1.>");
  expect(request).toMatchObject({
    kind: kinds.server,
    parentSpanId: spanId,
    attributes: { "rpc.system.name": "nats", "rpc.method": "experience.extractor" },
  });
  expect(stored.map(({ parentSpanId }) => parentSpanId)).toEqual(Array(3).fill(request?.spanId));
  const parents = named("process agent.experience.v1.>").map((one) => one.parentSpanId);
  expect(new Set(parents)).toEqual(new Set(stored.map((one) => one.spanId)));
  const [published] = named("publish agent.lesson.v1");
  expect(lesson?.get("traceparent")).toBe(`00-${traceId}-${published?.spanId}-01`);
});

test("a lesson that comes of events read again continues the trace that its message brought", async () => {
  const { stack, service, spansOf } = await openTraced({ EXPERIENCE_ERROR_THRESHOLD: "4" });
  const { traceId, spanId, traceparent } = newTrace();
  await publishLesson(stack, { traceparent });
  await eventually(() => isIdle(stack));
  await service.stop();
  expect(spansOf(traceId)).toHaveLength(1);
  await stack.broker.jsm.streams.delete("KV_experience-learner-v1-evidence");
  const again = await stack.start(stack.env({ EXPERIENCE_CONCERNS, OTEL_TRACES_EXPORTER: "otlp" }));
  await publish(stack, failure({ agent_id: "other" }));
  const lesson = await publishedLesson(stack);
  await again.stop();
  expect(lesson?.get("traceparent")).toMatch(new RegExp(`^00-${traceId}-[0-9a-f]{16}-01$`));
  expect(lesson?.get("traceparent")).not.toContain(spanId);
});

test("a refused request is no failure of the server", async () => {
  const { stack, service, spansOf } = await openTraced();
  const { traceId, traceparent } = newTrace();
  const traced = { timeout: 5_000, headers: headersWith({ traceparent }) };
  await stack.broker.nc.request("experience.extractor", "", traced);
  await service.stop();
  expect(spansOf(traceId)).toMatchObject([
    { status: { code: 0 }, attributes: { "rpc.response.status_code": "400" } },
  ]);
});

test.each([
  ["without an exporter", {}],
  ["with the SDK disabled", { OTEL_SDK_DISABLED: "true", OTEL_TRACES_EXPORTER: "otlp" }],
])("%s a lesson carries no traceparent", async (_, env) => {
  const stack = await openStack();
  await stack.start({ EXPERIENCE_CONCERNS, ...env });
  await publishLesson(stack, { traceparent: newTrace().traceparent });
  expect((await publishedLesson(stack))?.has("traceparent")).toBe(false);
});

test("an exporter that cannot be reached costs spans and a log line, nothing else", async () => {
  const { stack, service } = await openTraced({
    OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:1",
  });
  const { traceparent } = newTrace();
  for (let i = 0; i < 10; i += 1) {
    await Promise.all(failures(500).map((event) => publish(stack, event, { traceparent })));
  }
  await eventually(() => isIdle(stack), 15_000);
  await eventually(() => service.hasLogged("spans could not be exported"), 20_000);
  await eventually(async () => (await service.health()).status === "ok", 10_000);
  expect((await publishedLesson(stack))?.has("traceparent")).toBe(true);
  const startedAt = performance.now();
  await service.stop();
  expect(performance.now() - startedAt).toBeLessThan(10_000);
  expect(service.fatal).toEqual([]);
  expect(service.log.filter(({ msg }) => msg === "spans could not be exported")).toHaveLength(1);
}, 90_000);

test("spans are exported at SIGTERM, under the names that the environment gives", async () => {
  const [stack, collector] = await Promise.all([openStack(), openCollector()]);
  const env = {
    ...collector.env,
    OTEL_SERVICE_NAME: "bus-of-tests",
    OTEL_RESOURCE_ATTRIBUTES: "deployment.environment.name=test",
    OTEL_BSP_SCHEDULE_DELAY: "3600000",
    EXPERIENCE_PROVISION: "apply",
  };
  const replica = startReplicaOfTest(stack.env({ EXPERIENCE_CONCERNS, ...env }));
  await replica.ready();
  const { traceId, traceparent } = newTrace();
  await publishLesson(stack, { traceparent });
  await publishedLesson(stack);
  await eventually(() => isIdle(stack));
  expect(collector.spans).toEqual([]);
  expect(await replica.stop()).toBe(0);
  const spans = collector.spans.filter((one) => one.traceId === traceId);
  expect(spans).toHaveLength(2);
  expect(spans[0]?.resource).toMatchObject({
    "service.name": "bus-of-tests",
    "deployment.environment.name": "test",
  });
});

test("spans are exported as protobuf unless told otherwise", async () => {
  const [stack, collector] = await Promise.all([openStack(), openCollector()]);
  const service = await stack.start({ OTEL_EXPORTER_OTLP_ENDPOINT: collector.url });
  await publish(stack, failure(), { traceparent: newTrace().traceparent });
  await eventually(() => isIdle(stack));
  await service.stop();
  expect(new Set(collector.contentTypes)).toEqual(new Set(["application/x-protobuf"]));
});
