import { BusError } from "../../../errors.ts";
import { isRead, keptOf } from "../attributes.ts";
import { type Fields, isFields, objectIn } from "../dialects/fields.ts";
import type { Exception, LogRecord, Origin, Span, Value } from "../record.ts";
import { countRecords, type OtlpBatch } from "./batch.ts";
import { bodyOf, exceptionOf } from "./protobuf.ts";

/**
 * The same in JSON (OTLP specification, JSON Protobuf Encoding): ids in hexadecimal of either case, 64-bit integers as
 * text or number, enumerations as numbers, unknown fields passed over.
 */
export function jsonBatch(body: Uint8Array): OtlpBatch {
  return jsonValueBatch(parse(body));
}

/** Of a value that is parsed already. */
export function jsonValueBatch(value: unknown): OtlpBatch {
  if (!isFields(value)) throw new BusError("bad_request", "not a JSON object");
  return {
    spans(visit) {
      requireRight(value, "resourceSpans", "resourceLogs", "/v1/logs");
      eachRecord(value, ["resourceSpans", "scopeSpans", "spans"], (one, origin) =>
        visit(spanFrom(one), origin),
      );
    },
    logs(visit) {
      requireRight(value, "resourceLogs", "resourceSpans", "/v1/traces");
      eachRecord(value, ["resourceLogs", "scopeLogs", "logRecords"], (one, origin) =>
        visit(logFrom(one), origin),
      );
    },
  };
}

function parse(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(body));
  } catch (error) {
    throw new BusError("bad_request", "not JSON", { cause: error });
  }
}

/** Unknown fields are passed over, so the wrong path would look like success. */
function requireRight(request: Fields, wanted: string, other: string, path: string): void {
  if (request[wanted] != null || request[other] == null) return;
  throw new BusError("bad_request", `this has ${other}, not ${wanted}: send it to ${path}`);
}

function eachRecord(
  request: Fields,
  [groups, scopeGroups, records]: readonly [string, string, string],
  visit: (record: Fields, origin: Origin) => void,
): void {
  const count = countRecords();
  for (const group of listIn(request, groups)) {
    const resource = attributesIn(objectIn(group, "resource"));
    for (const scopeGroup of listIn(group, scopeGroups)) {
      const origin = { resource, scope: textIn(objectIn(scopeGroup, "scope"), "name") };
      for (const record of listIn(scopeGroup, records)) {
        count();
        visit(record, origin);
      }
    }
  }
}

function listIn(fields: Fields, key: string): readonly Fields[] {
  const value = fields[key];
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value) || !value.every(isFields)) {
    throw new BusError("bad_request", `${key}: expected a list of objects`);
  }
  return value;
}

function textIn(fields: Fields, key: string): string {
  const value = fields[key];
  return typeof value === "string" ? value : "";
}

function numberIn(fields: Fields, key: string): number {
  const number = Number(fields[key] ?? 0);
  return Number.isFinite(number) ? number : 0;
}

const hexIn = (fields: Fields, key: string) => textIn(fields, key).toLowerCase();
const msIn = (fields: Fields, key: string) => numberIn(fields, key) / 1e6;

/** Exporters written by hand have an object of plain values where there should be a list of keys and values. */
function attributesIn(fields: Fields): Map<string, Value> {
  const { attributes } = fields;
  const found = new Map<string, Value>();
  const keep = (key: string, value: Value | undefined) => {
    const kept = value === undefined ? undefined : keptOf(key, value);
    if (kept !== undefined) found.set(key, kept);
  };
  if (isFields(attributes)) {
    for (const [key, value] of Object.entries(attributes)) {
      if (isRead(key)) keep(key, isFields(value) ? plainValue(value) : scalar(value));
    }
    return found;
  }
  for (const pair of listIn(fields, "attributes")) {
    const key = textIn(pair, "key");
    if (isRead(key)) keep(key, plainValue(objectIn(pair, "value")));
  }
  return found;
}

function scalar(value: unknown): Value | undefined {
  const isScalar = ["string", "number", "boolean"].includes(typeof value);
  return isScalar ? (value as Value) : undefined;
}

function plainValue(value: Fields): Value | undefined {
  const { stringValue, boolValue, intValue, doubleValue, arrayValue } = value;
  if (typeof stringValue === "string") return stringValue;
  if (typeof boolValue === "boolean") return boolValue;
  if (intValue != null) return numberIn(value, "intValue");
  // NaN and Infinity are texts.
  if (doubleValue != null) return Number(doubleValue);
  if (!isFields(arrayValue)) return undefined;
  return listIn(arrayValue, "values").flatMap((one) =>
    typeof one["stringValue"] === "string" ? [one["stringValue"]] : [],
  );
}

/** By name, some exporters: against the specification, and no harm. */
const statusNames: Readonly<Record<string, number>> = { STATUS_CODE_OK: 1, STATUS_CODE_ERROR: 2 };
const kindNames: Readonly<Record<string, number>> = { SPAN_KIND_SERVER: 2, SPAN_KIND_CLIENT: 3 };

function spanFrom(span: Fields): Span {
  const status = objectIn(span, "status");
  const parent = hexIn(span, "parentSpanId");
  const exceptions = listIn(span, "events").filter((event) => event["name"] === "exception");
  const last = exceptions.at(-1);
  const exception: Exception | null = last === undefined ? null : exceptionOf(attributesIn(last));
  return {
    traceId: hexIn(span, "traceId"),
    spanId: hexIn(span, "spanId"),
    parentSpanId: /^0*$/.test(parent) ? "" : parent,
    name: textIn(span, "name"),
    kind: kindNames[textIn(span, "kind")] ?? numberIn(span, "kind"),
    startMs: msIn(span, "startTimeUnixNano"),
    endMs: msIn(span, "endTimeUnixNano"),
    attributes: attributesIn(span),
    statusCode: statusNames[textIn(status, "code")] ?? numberIn(status, "code"),
    statusMessage: String(keptOf("error.message", textIn(status, "message")) ?? ""),
    exception,
  };
}

function logFrom(log: Fields): LogRecord {
  return {
    timeMs: msIn(log, "timeUnixNano"),
    observedMs: msIn(log, "observedTimeUnixNano"),
    eventName: textIn(log, "eventName"),
    body: bodyOf(plainValue(objectIn(log, "body"))),
    traceId: hexIn(log, "traceId"),
    spanId: hexIn(log, "spanId"),
    attributes: attributesIn(log),
  };
}
