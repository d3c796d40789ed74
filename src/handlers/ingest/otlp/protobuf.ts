import { isRead, keptOf } from "../attributes.ts";
import type { Attributes, Exception, Origin, Value } from "../record.ts";
import { countRecords, type OtlpBatch, type VisitLog, type VisitSpan } from "./batch.ts";
import { type Field, openWire, type Wire, wireTypes } from "./wire.ts";

/** Export requests of OTLP (opentelemetry-proto v1.9) in Protocol Buffers. Fields by their numbers there. */
export function protobufBatch(body: Uint8Array): OtlpBatch {
  const wire = openWire(body);
  return {
    spans: (visit) => eachRecord(wire, (field, origin) => visit(spanIn(wire, field), origin)),
    logs: (visit) => eachRecord(wire, (field, origin) => visit(logIn(wire, field), origin)),
  };
}

type Attribute = Map<string, Value>;
const isMessage = ({ type }: Field) => type === wireTypes.bytes;

/** Resource and scope may stand behind what they are said of. */
function eachRecord(wire: Wire, visit: (record: Field, origin: Origin) => void): void {
  const count = countRecords();
  for (const group of messages(wire, { start: 0, end: wire.length }, 1)) {
    const resource: Attribute = new Map();
    for (const one of messages(wire, group, 1)) readAttributes(wire, one, 1, resource);
    for (const scopeGroup of messages(wire, group, 2)) {
      let scope = "";
      for (const one of messages(wire, scopeGroup, 1)) scope = textIn(wire, one, 1);
      const origin = { resource, scope };
      for (const record of messages(wire, scopeGroup, 2)) {
        count();
        visit(record, origin);
      }
    }
  }
}

type Range = Pick<Field, "start" | "end">;

function* messages(wire: Wire, { start, end }: Range, number: number): Generator<Field> {
  for (const field of wire.fields(start, end)) {
    if (field.number === number && isMessage(field)) yield field;
  }
}

function textIn(wire: Wire, message: Range, number: number): string {
  let text = "";
  for (const field of messages(wire, message, number)) text = wire.text(field);
  return text;
}

/** All attributes of a message, its fields of that number, that are read at all. */
function readAttributes(wire: Wire, message: Range, number: number, into: Attribute): void {
  for (const field of messages(wire, message, number)) readAttribute(wire, field, into);
}

const longestKey = 256;

function readAttribute(wire: Wire, pair: Range, into: Attribute): void {
  let key = "";
  let value: Field | undefined;
  for (const field of wire.fields(pair.start, pair.end)) {
    if (!isMessage(field)) continue;
    if (field.number === 1 && field.end - field.start <= longestKey) key = wire.text(field);
    if (field.number === 2) value = field;
  }
  if (value === undefined || !isRead(key)) return;
  const plain = plainValue(wire, value);
  const kept = plain === undefined ? undefined : keptOf(key, plain);
  if (kept !== undefined) into.set(key, kept);
}

/** Of lists only texts are kept, of objects nothing. */
function plainValue(wire: Wire, any: Range): Value | undefined {
  let value: Value | undefined;
  for (const field of wire.fields(any.start, any.end)) {
    if (field.number === 1 && isMessage(field)) value = wire.text(field);
    if (field.number === 2 && field.type === wireTypes.varint) value = wire.unsigned(field) !== 0;
    if (field.number === 3 && field.type === wireTypes.varint) value = wire.signed(field);
    if (field.number === 4 && field.type === wireTypes.fixed64) value = wire.double(field);
    if (field.number === 5 && isMessage(field)) {
      value = [...messages(wire, field, 1)].flatMap((item) =>
        [...messages(wire, item, 1)].map(wire.text),
      );
    }
  }
  return value;
}

function spanIn(wire: Wire, span: Field): Parameters<VisitSpan>[0] {
  const attributes: Attribute = new Map();
  const found = {
    ...{ traceId: "", spanId: "", parentSpanId: "", name: "", kind: 0, startMs: 0, endMs: 0 },
    ...{ statusCode: 0, statusMessage: "", exception: null as Exception | null },
  };
  for (const field of wire.fields(span.start, span.end)) {
    const { number, type } = field;
    if (type === wireTypes.bytes) {
      if (number === 1) found.traceId = wire.hex(field);
      else if (number === 2) found.spanId = wire.hex(field);
      else if (number === 4) found.parentSpanId = wire.hex(field);
      else if (number === 5) found.name = wire.text(field);
      else if (number === 9) readAttribute(wire, field, attributes);
      else if (number === 11) found.exception = exceptionIn(wire, field) ?? found.exception;
      else if (number === 15) Object.assign(found, statusIn(wire, field));
    } else if (number === 6 && type === wireTypes.varint) found.kind = wire.unsigned(field);
    else if (number === 7 && type === wireTypes.fixed64) found.startMs = wire.fixed64(field) / 1e6;
    else if (number === 8 && type === wireTypes.fixed64) found.endMs = wire.fixed64(field) / 1e6;
  }
  const parentSpanId = /^0*$/.test(found.parentSpanId) ? "" : found.parentSpanId;
  return { ...found, parentSpanId, attributes };
}

function statusIn(wire: Wire, status: Range): { statusCode: number; statusMessage: string } {
  let statusCode = 0;
  for (const field of wire.fields(status.start, status.end)) {
    if (field.number === 3 && field.type === wireTypes.varint) statusCode = wire.unsigned(field);
  }
  return { statusCode, statusMessage: keptText(textIn(wire, status, 2)) };
}

const keptText = (text: string) => String(keptOf("error.message", text) ?? "");

function exceptionIn(wire: Wire, event: Field): Exception | null {
  if (textIn(wire, event, 2) !== "exception") return null;
  const attributes: Attribute = new Map();
  readAttributes(wire, event, 3, attributes);
  return exceptionOf(attributes);
}

export function exceptionOf(attributes: Attributes): Exception {
  const text = (key: string) => String(attributes.get(key) ?? "");
  return { type: text("exception.type"), message: text("exception.message") };
}

function logIn(wire: Wire, log: Field): Parameters<VisitLog>[0] {
  const attributes: Attribute = new Map();
  const found = { timeMs: 0, observedMs: 0, eventName: "", body: "", traceId: "", spanId: "" };
  for (const field of wire.fields(log.start, log.end)) {
    const { number, type } = field;
    if (type === wireTypes.fixed64) {
      if (number === 1) found.timeMs = wire.fixed64(field) / 1e6;
      else if (number === 11) found.observedMs = wire.fixed64(field) / 1e6;
    } else if (type === wireTypes.bytes) {
      if (number === 5) found.body = bodyOf(plainValue(wire, field));
      else if (number === 6) readAttribute(wire, field, attributes);
      else if (number === 9) found.traceId = wire.hex(field);
      else if (number === 10) found.spanId = wire.hex(field);
      else if (number === 12) found.eventName = wire.text(field);
    }
  }
  return { ...found, attributes };
}

const longestName = 128;

/** A body is content, unless it is the name of an event. */
export function bodyOf(value: Value | undefined): string {
  return typeof value === "string" && value.length <= longestName && /^[\w.]+$/.test(value)
    ? value
    : "";
}
