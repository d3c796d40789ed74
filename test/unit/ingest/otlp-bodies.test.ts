import {
  JsonLogsSerializer,
  JsonTraceSerializer,
  ProtobufLogsSerializer,
  ProtobufTraceSerializer,
} from "@opentelemetry/otlp-transformer";
import { resourceFromAttributes } from "@opentelemetry/resources";
import type { ReadableLogRecord } from "@opentelemetry/sdk-logs";
import type { ReadableSpan } from "@opentelemetry/sdk-trace-base";
import fc from "fast-check";
import { expect, test } from "vitest";
import { BusError } from "../../../src/errors.ts";
import { mappedSpan } from "../../../src/handlers/ingest/dialects/index.ts";
import type { OtlpBatch } from "../../../src/handlers/ingest/otlp/batch.ts";
import { jsonBatch } from "../../../src/handlers/ingest/otlp/json.ts";
import { protobufBatch } from "../../../src/handlers/ingest/otlp/protobuf.ts";
import type { LogRecord, Origin, Span } from "../../../src/handlers/ingest/record.ts";

/** Names that are read and some that are not, so that both are in every request. */
const keys = fc.constantFrom(
  ...["gen_ai.operation.name", "gen_ai.tool.name", "error.type", "session.id", "success"],
  ...["gen_ai.response.finish_reasons", "gen_ai.usage.input_tokens", "gen_ai.prompt", "x", ""],
);
const values = fc.oneof(
  fc.string({ unit: "grapheme", maxLength: 40 }),
  fc.constantFrom("execute_tool", "chat", "invoke_agent", "true", "false"),
  fc.boolean(),
  fc.maxSafeInteger(),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.array(fc.string({ maxLength: 8 }), { maxLength: 3 }),
);
const attributes = fc.dictionary(keys, values, { maxKeys: 8 });
const hex = (digits: number) =>
  fc.string({ unit: fc.constantFrom(..."0123456789abcdef"), minLength: digits, maxLength: digits });
const time = fc.tuple(fc.integer({ min: 0, max: 4e9 }), fc.integer({ min: 0, max: 999_999_999 }));

const resource = attributes.map((given) => resourceFromAttributes(given));
const scope = fc.record({ name: fc.string({ maxLength: 20 }), version: fc.constant("1") });

const exceptions = fc.array(
  fc.record({
    time,
    name: fc.constantFrom("exception", "other"),
    attributes: fc.record({ "exception.type": fc.string(), "exception.message": fc.string() }),
  }),
  { maxLength: 2 },
);

const spans: fc.Arbitrary<ReadableSpan> = fc
  .record({
    ...{ traceId: hex(32), spanId: hex(16), parent: fc.option(hex(16)), name: fc.string() },
    ...{ kind: fc.integer({ min: 0, max: 4 }), startTime: time, endTime: time, attributes },
    status: fc.record({ code: fc.integer({ min: 0, max: 2 }), message: fc.string() }),
    ...{ events: exceptions, resource, instrumentationScope: scope },
  })
  .map(({ traceId, spanId, parent, ...rest }) => {
    const context = (id: string) => ({ traceId, spanId: id, traceFlags: 1 });
    const parentSpanContext = parent === null ? undefined : context(parent);
    return {
      ...{ ...rest, spanContext: () => context(spanId), parentSpanContext, links: [] },
      ...{ ended: true, duration: [0, 0] as [number, number] },
      ...{ droppedAttributesCount: 0, droppedEventsCount: 0, droppedLinksCount: 0 },
    } as unknown as ReadableSpan;
  });

const logs: fc.Arbitrary<ReadableLogRecord> = fc
  .record({
    ...{ hrTime: time, hrTimeObserved: time, attributes, resource, instrumentationScope: scope },
    body: fc.constantFrom("claude_code.tool_result", "some prose, which is content", 7, undefined),
    eventName: fc.option(fc.constantFrom("codex.tool_result", "x"), { nil: undefined }),
    ids: fc.option(fc.tuple(hex(32), hex(16))),
  })
  .map(({ ids, ...rest }) => {
    const spanContext =
      ids === null ? undefined : { traceId: ids[0], spanId: ids[1], traceFlags: 1 };
    return { ...rest, spanContext, droppedAttributesCount: 0 } as unknown as ReadableLogRecord;
  });

const plain = (origin: Origin) => ({
  resource: Object.fromEntries(origin.resource),
  scope: origin.scope,
});

function spansOf(batch: OtlpBatch) {
  const found: object[] = [];
  batch.spans((span: Span, origin: Origin) => {
    found.push({ ...span, attributes: Object.fromEntries(span.attributes), ...plain(origin) });
  });
  return found;
}

function logsOf(batch: OtlpBatch) {
  const found: object[] = [];
  batch.logs((record: LogRecord, origin: Origin) => {
    found.push({ ...record, attributes: Object.fromEntries(record.attributes), ...plain(origin) });
  });
  return found;
}

const bytesOf = (body: Uint8Array | undefined): Uint8Array => {
  if (body === undefined) throw new Error("the serializer made nothing");
  return body;
};

const runs = Number(process.env["FUZZ_RUNS"] ?? 200);

test("spans of the SDK's serializers read the same from Protocol Buffers and JSON, and say what they say", () => {
  fc.assert(
    fc.property(fc.array(spans, { maxLength: 4 }), (given) => {
      const fromBytes = spansOf(
        protobufBatch(bytesOf(ProtobufTraceSerializer.serializeRequest(given))),
      );
      const fromJson = spansOf(jsonBatch(bytesOf(JsonTraceSerializer.serializeRequest(given))));
      expect(fromBytes).toEqual(fromJson);
      const ids = (list: object[]) => list.map((one) => (one as Span).spanId).sort();
      expect(ids(fromBytes)).toEqual(given.map((one) => one.spanContext().spanId).sort());
      for (const one of given) {
        const { spanId, traceId } = one.spanContext();
        const read = fromBytes.find((span) => (span as Span).spanId === spanId) as Span | undefined;
        expect(read).toMatchObject({ traceId, name: one.name, statusCode: one.status.code });
        // OTLP counts kinds from 1.
        expect(read?.kind).toBe(one.kind + 1);
      }
    }),
    { numRuns: runs },
  );
});

test("logs of the SDK's serializers read the same from Protocol Buffers and JSON", () => {
  fc.assert(
    fc.property(fc.array(logs, { maxLength: 4 }), (given) => {
      const fromBytes = logsOf(
        protobufBatch(bytesOf(ProtobufLogsSerializer.serializeRequest(given))),
      );
      const fromJson = logsOf(jsonBatch(bytesOf(JsonLogsSerializer.serializeRequest(given))));
      expect(fromBytes).toEqual(fromJson);
      expect(fromBytes).toHaveLength(given.length);
      expect(JSON.stringify(fromBytes)).not.toContain("prose");
    }),
    { numRuns: runs },
  );
});

/** Reads it all, and maps it; whatever is thrown must be a refusal. */
function readBoth(body: Uint8Array): void {
  for (const batch of [protobufBatch(body)]) {
    for (const read of [() => batch.spans(mappedSpan), () => batch.logs(() => undefined)]) {
      try {
        read();
      } catch (error) {
        if (!(error instanceof BusError && error.code === "bad_request")) throw error;
      }
    }
  }
}

test("bytes that are cut, flipped or made up are read or refused, and nothing else", () => {
  const damaged = fc.tuple(
    fc.array(spans, { minLength: 1, maxLength: 3 }),
    fc.nat(),
    fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { maxLength: 4 }),
  );
  fc.assert(
    fc.property(damaged, fc.uint8Array({ maxLength: 400 }), ([given, end, flips], made) => {
      const body = Uint8Array.from(bytesOf(ProtobufTraceSerializer.serializeRequest(given)));
      for (const [at, value] of flips) body[at % body.length] = value;
      readBoth(body.subarray(0, end % (body.length + 1)));
      readBoth(body);
      readBoth(made);
    }),
    { numRuns: runs },
  );
});

test.each([
  ["a length beyond the end", [0x0a, 0x7f, 0x01]],
  ["a varint without an end", [0x0a, ...Array.from({ length: 12 }, () => 0xff)]],
  ["a length of 2^63", [0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]],
  ["a field without a number", [0x02, 0x01, 0x00]],
  ["a group, which OTLP has none of", [0x0b, 0x0c]],
])("%s is refused", (_, bytes) => {
  expect(() => protobufBatch(Uint8Array.from(bytes)).spans(() => undefined)).toThrow(BusError);
});

test("a body of empty records ends at a limit", () => {
  const count = 200_000;
  const scopes = Buffer.concat([
    varint(2 * count),
    Buffer.alloc(2 * count, Buffer.from([0x12, 0])),
  ]);
  const group = Buffer.concat([Buffer.from([0x12]), scopes]);
  const body = Buffer.concat([Buffer.from([0x0a]), varint(group.length), group]);
  expect(() => protobufBatch(body).spans(() => undefined)).toThrow(/at most 100,000 records/);
});

function varint(value: number): Buffer {
  const bytes: number[] = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    bytes.push((rest % 128) + (rest >= 128 ? 128 : 0));
    if (rest < 128) return Buffer.from(bytes);
  }
}

const json = (value: unknown) => jsonBatch(Buffer.from(JSON.stringify(value)));
const oneSpan = (span: object, resource: object = {}) =>
  json({ resourceSpans: [{ resource, scopeSpans: [{ spans: [span] }] }] });

test("JSON as exporters write it: ids in upper case, integers as text, unknown fields, attributes as an object", () => {
  const [span] = spansOf(
    oneSpan({
      ...{ traceId: "0AF7651916CD43DD8448EB211C80319C", spanId: "B7AD6B7169203331", new: [1] },
      endTimeUnixNano: "1796083216500000000",
      attributes: { "gen_ai.tool.name": "pay", "gen_ai.prompt": "secret" },
      status: { code: 2, unknown: true },
    }),
  );
  expect(span).toMatchObject({
    ...{ traceId: "0af7651916cd43dd8448eb211c80319c", spanId: "b7ad6b7169203331" },
    ...{ endMs: 1_796_083_216_500, statusCode: 2 },
    attributes: { "gen_ai.tool.name": "pay" },
  });
});

test.each([["1234"], [1234]])("an integer may be %j", (intValue) => {
  const attributes = [{ key: "gen_ai.usage.input_tokens", value: { intValue } }];
  expect(spansOf(oneSpan({ attributes }))).toMatchObject([
    { attributes: { "gen_ai.usage.input_tokens": 1234 } },
  ]);
});

test.each<[string, () => void, RegExp]>([
  [
    "logs at the path of traces",
    () => json({ resourceLogs: [] }).spans(() => undefined),
    /send it to \/v1\/logs/,
  ],
  [
    "traces at the path of logs",
    () => json({ resourceSpans: [] }).logs(() => undefined),
    /\/v1\/traces/,
  ],
  ["a list", () => json([]).spans(() => undefined), /not a JSON object/],
  ["what is no JSON", () => jsonBatch(Buffer.from("{")), /not JSON/],
  [
    "spans that are no list",
    () => json({ resourceSpans: {} }).spans(() => undefined),
    /expected a list/,
  ],
])("%s is refused with a reason", (_, read, reason) => {
  expect(read).toThrow(reason);
});

test("an empty request is one without records", () => {
  expect(spansOf(protobufBatch(new Uint8Array()))).toEqual([]);
  expect(spansOf(json({}))).toEqual([]);
});

test("a body of logs at the path of traces has spans without identity", () => {
  const record = {
    ...{ hrTime: [1, 0], hrTimeObserved: [1, 0], attributes: { a: 1 }, body: "x" },
    ...{ resource: resourceFromAttributes({}), instrumentationScope: { name: "s" } },
    droppedAttributesCount: 0,
  } as unknown as ReadableLogRecord;
  const found: unknown[] = [];
  const body = bytesOf(ProtobufLogsSerializer.serializeRequest([record]));
  protobufBatch(body).spans((span, origin) => found.push(mappedSpan(span, origin).reason));
  expect(found).toEqual(["no_identity"]);
});
