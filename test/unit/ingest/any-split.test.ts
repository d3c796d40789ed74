import { ProtobufTraceSerializer } from "@opentelemetry/otlp-transformer";
import { resourceFromAttributes } from "@opentelemetry/resources";
import type { ReadableSpan } from "@opentelemetry/sdk-trace-base";
import fc from "fast-check";
import { expect, test } from "vitest";
import { reference } from "../../../src/handlers/extractor/reference.ts";
import { rulesFor } from "../../../src/handlers/extractor/rules/index.ts";
import { eventFrom } from "../../../src/handlers/extractor/wire.ts";
import { mappedSpan } from "../../../src/handlers/ingest/dialects/index.ts";
import type { MappedEvent } from "../../../src/handlers/ingest/mapped.ts";
import { protobufBatch } from "../../../src/handlers/ingest/otlp/protobuf.ts";

const startedAt = 1_796_083_200;
const kinds = ["invoke_agent", "chat", "execute_tool", "execute_tool"] as const;

/** 1,000 spans of 250 traces: an agent, its model, a tool that works and one that fails in every third trace. */
const spans: readonly ReadableSpan[] = Array.from({ length: 1_000 }, (_, i) => {
  const trace = Math.floor(i / 4);
  const operation = kinds[i % 4] ?? "chat";
  const hasFailed = trace % 3 === 0 && i % 4 !== 2;
  const context = (id: number) => ({
    ...{ traceId: (trace + 1).toString(16).padStart(32, "0"), traceFlags: 1 },
    spanId: (id + 1).toString(16).padStart(16, "0"),
  });
  return {
    ...{ name: operation, kind: 0, spanContext: () => context(i), links: [], events: [] },
    ...(i % 4 > 0 && { parentSpanContext: context(i - (i % 4)) }),
    ...{ startTime: [startedAt + trace, 0], endTime: [startedAt + trace + 1, i * 1_000] },
    status: { code: hasFailed ? 2 : 0, message: hasFailed ? `tool ${trace % 4} broke` : "" },
    attributes: {
      "gen_ai.operation.name": operation,
      ...(operation === "execute_tool" && { "gen_ai.tool.name": `tool-${trace % 5}` }),
    },
    resource: resourceFromAttributes({ "service.name": `agent-${trace % 2}` }),
    instrumentationScope: { name: `scope-${trace % 3}` },
    ...{ droppedAttributesCount: 0, droppedEventsCount: 0, droppedLinksCount: 0 },
  } as unknown as ReadableSpan;
});

function eventsOf(request: readonly ReadableSpan[]): MappedEvent[] {
  const found: MappedEvent[] = [];
  const body = ProtobufTraceSerializer.serializeRequest([...request]) ?? new Uint8Array();
  protobufBatch(body).spans((span, origin) => {
    const { event } = mappedSpan(span, origin);
    if (event !== undefined) found.push(event);
  });
  return found;
}

const distinct = (events: readonly MappedEvent[]) =>
  [...new Set(events.map((event) => JSON.stringify(event)))].sort();

const rules = rulesFor({
  ...{ errorThreshold: 3, silentThreshold: 5, latencyThreshold: 3 },
  ...{ latencySpikeMs: 5_000, toolLatencySpikeMs: 0 },
});

function lessonsOf(events: readonly MappedEvent[]): string[] {
  const context = {
    ...{ defaultAgentId: "unknown", defaultEventId: "unknown" },
    ...{ storedAt: (startedAt + 1_000) * 1_000, maxFutureMs: 0 },
  };
  const read = events.map((event) => eventFrom(event, context));
  return [...reference(read, rules, 1_800_000).lessonKeys].sort();
}

test("the same spans give the same events and lessons in any order, split and repetition", () => {
  const whole = eventsOf(spans);
  const expected = { events: distinct(whole), lessons: lessonsOf(whole) };
  expect(whole).toHaveLength(750);
  expect(expected.lessons.length).toBeGreaterThan(5);
  const order = fc.shuffledSubarray([...spans], { minLength: spans.length });
  const repeated = fc.shuffledSubarray([...spans]);
  const sizes = fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1, maxLength: 20 });
  fc.assert(
    fc.property(order, repeated, sizes, (first, again, cuts) => {
      const sent = [...first, ...again];
      const events: MappedEvent[] = [];
      for (let at = 0, i = 0; at < sent.length; i++) {
        const size = cuts[i % cuts.length] ?? 1;
        events.push(...eventsOf(sent.slice(at, at + size)));
        at += size;
      }
      expect({ events: distinct(events), lessons: lessonsOf(events) }).toEqual(expected);
    }),
    { numRuns: 5 },
  );
});
