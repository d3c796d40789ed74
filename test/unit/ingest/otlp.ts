import type {
  Attributes,
  LogRecord,
  Origin,
  Span,
  Value,
} from "../../../src/handlers/ingest/record.ts";

export const attributes = (given: Readonly<Record<string, Value>>): Attributes =>
  new Map(Object.entries(given));

export const traceId = "0af7651916cd43dd8448eb211c80319c";
export const spanId = "b7ad6b7169203331";
/** Epoch ms of the spans' end. */
export const endMs = 1_796_083_216_500;

export const origin = (
  resource: Readonly<Record<string, Value>> = { "service.name": "shop" },
  scope = "test",
): Origin => ({ resource: attributes(resource), scope });

export function span(
  given: Readonly<Record<string, Value>>,
  other: Partial<Omit<Span, "attributes">> = {},
): Span {
  return {
    ...{ traceId, spanId, parentSpanId: "00f067aa0ba902b7", name: "span", kind: 1 },
    ...{ startMs: endMs - 800, endMs, statusCode: 0, statusMessage: "", exception: null },
    ...other,
    attributes: attributes(given),
  };
}

export function log(
  given: Readonly<Record<string, Value>>,
  other: Partial<Omit<LogRecord, "attributes">> = {},
): LogRecord {
  return {
    ...{ timeMs: endMs, observedMs: endMs, eventName: "", body: "", traceId: "", spanId: "" },
    ...other,
    attributes: attributes(given),
  };
}
