import { parseTimestamp } from "../../schema/timestamp.ts";
import { isRead, keptOf } from "./attributes.ts";
import { type Fields, isFields, objectIn, textIn } from "./dialects/fields.ts";
import { exceptionOf } from "./otlp/protobuf.ts";
import type { Origin, Span, Value } from "./record.ts";

/**
 * A span as Phoenix and other viewers of OpenInference write them to files: one object a span, its attributes nested or
 * with dots, times in ISO 8601. Null where it is none.
 */
export function flatSpan(line: Fields): { readonly span: Span; readonly origin: Origin } | null {
  const context = objectIn(line, "context");
  const id = (key: string) =>
    (textIn(context, key) ?? textIn(line, key) ?? "").replace(/^0x/i, "").toLowerCase();
  const traceId = id("trace_id");
  if (traceId === "") return null;
  const attributes = new Map<string, Value>();
  collect(objectIn(line, "attributes"), "", attributes);
  const resource = new Map<string, Value>();
  collect(objectIn(objectIn(line, "resource"), "attributes"), "", resource);
  const kind = textIn(line, "span_kind") ?? textIn(line, "kind");
  const isOfOpenInference = kind !== undefined && !/^SpanKind\.|^SPAN_KIND_/.test(kind);
  if (isOfOpenInference && !attributes.has("openinference.span.kind")) {
    attributes.set("openinference.span.kind", kind);
  }
  const status = objectIn(line, "status");
  const code = textIn(line, "status_code") ?? textIn(status, "status_code") ?? "";
  const message = textIn(line, "status_message") ?? textIn(status, "description") ?? "";
  const span: Span = {
    ...{ traceId, spanId: id("span_id"), name: textIn(line, "name") ?? "", kind: 0 },
    parentSpanId: (textIn(line, "parent_id") ?? "").replace(/^0x/i, "").toLowerCase(),
    ...{ startMs: timeIn(line, "start_time"), endMs: timeIn(line, "end_time"), attributes },
    statusCode: code === "ERROR" ? 2 : code === "OK" ? 1 : 0,
    statusMessage: String(keptOf("error.message", message) ?? ""),
    exception: exceptionIn(line),
  };
  return { span, origin: { resource, scope: "" } };
}

function timeIn(line: Fields, key: string): number {
  const value = line[key];
  const isTime = typeof value === "string" || typeof value === "number";
  return (isTime ? parseTimestamp(value) : null) ?? 0;
}

function exceptionIn(line: Fields): Span["exception"] {
  const { events } = line;
  const found = Array.isArray(events) ? events.filter(isFields) : [];
  const last = found.findLast((event) => event["name"] === "exception");
  if (last === undefined) return null;
  const attributes = new Map<string, Value>();
  collect(objectIn(last, "attributes"), "", attributes);
  return exceptionOf(attributes);
}

const deepest = 8;

/** Nested objects become names with dots. */
function collect(fields: Fields, prefix: string, into: Map<string, Value>, depth = 1): void {
  for (const [key, value] of Object.entries(fields)) {
    const name = `${prefix}${key}`;
    if (isFields(value) && depth < deepest) collect(value, `${name}.`, into, depth + 1);
    if (!isRead(name) || !["string", "number", "boolean"].includes(typeof value)) continue;
    const kept = keptOf(name, value as Value);
    if (kept !== undefined) into.set(name, kept);
  }
}
