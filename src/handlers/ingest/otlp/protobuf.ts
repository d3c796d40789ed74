import { isRead, keptOf } from "../attributes.ts";
import type { Attributes, Exception, LogRecord, Origin, Span, Value } from "../record.ts";
import { countRecords, type OtlpBatch } from "./batch.ts";
import { type Field, openWire, type Place, type Wire, wireTypes } from "./wire.ts";

/** Export requests of OTLP (opentelemetry-proto v1.9) in Protocol Buffers. Fields by their numbers there. */
export function protobufBatch(body: Uint8Array): OtlpBatch {
  const wire = openWire(body);
  return {
    spans: (visit) => eachRecord(wire, (place, origin) => visit(spanIn(wire, place), origin)),
    logs: (visit) => eachRecord(wire, (place, origin) => visit(logIn(wire, place), origin)),
  };
}

type Attribute = Map<string, Value>;
const isMessage = ({ type }: Field) => type === wireTypes.bytes;

/** Resource and scope may stand behind what they are said of. */
function eachRecord(wire: Wire, visit: (record: Place, origin: Origin) => void): void {
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

/** Where each field of that number is, where it is a message or a text. */
function* messages(wire: Wire, { start, end }: Place, number: number): Generator<Place> {
  const fields = wire.fields(start, end);
  while (fields.next()) {
    if (fields.number === number && isMessage(fields)) yield placeOf(fields);
  }
}

/** What a field says of where it is, which moves on with `next`. */
const placeOf = ({ start, end }: Place): Place => ({ start, end });

function textIn(wire: Wire, { start, end }: Place, number: number): string {
  let text = "";
  const fields = wire.fields(start, end);
  while (fields.next()) {
    if (fields.number === number && isMessage(fields)) text = wire.text(fields);
  }
  return text;
}

/** All attributes of a message, its fields of that number, that are read at all. */
function readAttributes(wire: Wire, message: Place, number: number, into: Attribute): void {
  for (const place of messages(wire, message, number)) readAttribute(wire, place, into);
}

const longestKey = 256;

function readAttribute(wire: Wire, { start, end }: Place, into: Attribute): void {
  let key = "";
  let value: Place | undefined;
  const fields = wire.fields(start, end);
  while (fields.next()) {
    if (!isMessage(fields)) continue;
    // Those that are read are ASCII.
    if (fields.number === 1 && fields.end - fields.start <= longestKey) key = wire.name(fields);
    if (fields.number === 2) value = placeOf(fields);
  }
  if (value === undefined || !isRead(key)) return;
  const plain = plainValue(wire, value);
  const kept = plain === undefined ? undefined : keptOf(key, plain);
  if (kept !== undefined) into.set(key, kept);
}

/** Of lists only texts are kept, of objects nothing. */
function plainValue(wire: Wire, { start, end }: Place): Value | undefined {
  let value: Value | undefined;
  const fields = wire.fields(start, end);
  while (fields.next()) {
    const { number, type } = fields;
    if (number === 1 && type === wireTypes.bytes) value = wire.text(fields);
    else if (number === 2 && type === wireTypes.varint) value = wire.unsigned(fields) !== 0;
    else if (number === 3 && type === wireTypes.varint) value = wire.signed(fields);
    else if (number === 4 && type === wireTypes.fixed64) value = wire.double(fields);
    else if (number === 5 && type === wireTypes.bytes) value = textsIn(wire, fields);
  }
  return value;
}

function textsIn(wire: Wire, list: Place): string[] {
  return [...messages(wire, list, 1)].flatMap((item) =>
    [...messages(wire, item, 1)].map(wire.text),
  );
}

function spanIn(wire: Wire, { start, end }: Place): Span {
  const attributes: Attribute = new Map();
  // Written out: of an object that is made of others V8 (12) makes a dictionary, and a span costs twice as much.
  const span = {
    traceId: "",
    spanId: "",
    parentSpanId: "",
    name: "",
    kind: 0,
    startMs: 0,
    endMs: 0,
    attributes,
    statusCode: 0,
    statusMessage: "",
    exception: null as Exception | null,
  };
  const fields = wire.fields(start, end);
  while (fields.next()) {
    const { number, type } = fields;
    if (type === wireTypes.bytes) {
      if (number === 9) readAttribute(wire, fields, attributes);
      else if (number === 1) span.traceId = wire.hex(fields);
      else if (number === 2) span.spanId = wire.hex(fields);
      else if (number === 4) span.parentSpanId = parentId(wire.hex(fields));
      else if (number === 5) span.name = wire.text(fields);
      else if (number === 11) span.exception = exceptionIn(wire, fields) ?? span.exception;
      else if (number === 15) {
        span.statusCode = statusCodeIn(wire, fields);
        span.statusMessage = keptText(textIn(wire, fields, 2));
      }
    } else if (type === wireTypes.fixed64) {
      if (number === 7) span.startMs = wire.fixed64(fields) / 1e6;
      else if (number === 8) span.endMs = wire.fixed64(fields) / 1e6;
    } else if (number === 6 && type === wireTypes.varint) span.kind = wire.unsigned(fields);
  }
  return span;
}

/** All zeros are no parent. */
const parentId = (hex: string) => (/^0*$/.test(hex) ? "" : hex);

function statusCodeIn(wire: Wire, { start, end }: Place): number {
  let code = 0;
  const fields = wire.fields(start, end);
  while (fields.next()) {
    if (fields.number === 3 && fields.type === wireTypes.varint) code = wire.unsigned(fields);
  }
  return code;
}

const keptText = (text: string) => String(keptOf("error.message", text) ?? "");

function exceptionIn(wire: Wire, event: Place): Exception | null {
  if (textIn(wire, event, 2) !== "exception") return null;
  const attributes: Attribute = new Map();
  readAttributes(wire, event, 3, attributes);
  return exceptionOf(attributes);
}

export function exceptionOf(attributes: Attributes): Exception {
  const text = (key: string) => String(attributes.get(key) ?? "");
  return { type: text("exception.type"), message: text("exception.message") };
}

function logIn(wire: Wire, { start, end }: Place): LogRecord {
  const attributes: Attribute = new Map();
  const log = {
    timeMs: 0,
    observedMs: 0,
    eventName: "",
    body: "",
    traceId: "",
    spanId: "",
    attributes,
  };
  const fields = wire.fields(start, end);
  while (fields.next()) {
    const { number, type } = fields;
    if (type === wireTypes.fixed64) {
      if (number === 1) log.timeMs = wire.fixed64(fields) / 1e6;
      else if (number === 11) log.observedMs = wire.fixed64(fields) / 1e6;
    } else if (type === wireTypes.bytes) {
      if (number === 6) readAttribute(wire, fields, attributes);
      else if (number === 5) log.body = bodyOf(plainValue(wire, fields));
      else if (number === 9) log.traceId = wire.hex(fields);
      else if (number === 10) log.spanId = wire.hex(fields);
      else if (number === 12) log.eventName = wire.text(fields);
    }
  }
  return log;
}

const longestName = 128;

/** A body is content, unless it is the name of an event. */
export function bodyOf(value: Value | undefined): string {
  return typeof value === "string" && value.length <= longestName && /^[\w.]+$/.test(value)
    ? value
    : "";
}
