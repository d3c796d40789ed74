import { maxDepth } from "../../schema/json.ts";
import { latestTime } from "../../schema/timestamp.ts";

/**
 * Reads an event straight from its bytes when it is as nearly all are: short, plain ASCII, without
 * escapes, exponents and repeated keys. Parsing JSON into objects, checking these and throwing them
 * away would be the largest part of what an event costs. Whatever is not plainly valid is left to the
 * general decoder, and a property test holds the two together: what is read here, that one reads alike.
 */
export interface PlainEvent {
  readonly ok: boolean;
  /** The event gave no answer. */
  readonly silent: boolean;
  readonly cancelled: boolean;
  /** NaN without one. */
  readonly latencyMs: number;
  /** NaN without one. */
  readonly toolLatencyMs: number;
  /** Epoch ms; NaN without a time. */
  readonly ts: number;
  /** NaN without one. */
  readonly httpStatus: number;
  /** Undefined where the event has none. Valid until the next event is read. */
  text(field: PlainText): string | undefined;
  hasText(field: PlainText): boolean;
}

export type PlainText = Exclude<
  keyof typeof slot,
  "none" | "ts" | "ok" | "silent" | "cancelled" | "latencyMs" | "toolLatencyMs" | "httpStatus"
>;

/** In so short a payload no other text can be longer than its field allows. */
const longest = 1_024;
const longestId = 128;
const longestTask = 256;

const kind = {
  object: 0,
  id: 1,
  text: 2,
  amount: 3,
  whole: 4,
  boolean: 5,
  time: 6,
  signal: 7,
  task: 8,
};

/** Where a field's value goes: texts as a span of bytes, the others as a number. */
const slot = {
  ...{ none: 0, eventId: 1, tenantId: 2, agentId: 3, taskType: 4, errorClass: 5, provider: 6 },
  ...{ model: 7, profile: 8, tool: 9, reason: 10, decision: 11, ts: 12, ok: 13, silent: 14 },
  ...{ latencyMs: 15, httpStatus: 16, source: 17, runId: 18, requestId: 19, node: 20 },
  ...{ cancelled: 21, toolLatencyMs: 22 },
};
const slots = 23;

interface Field {
  readonly key: Uint8Array;
  readonly kind: number;
  readonly slot: number;
  readonly bit: number;
  readonly inner: Fields;
}
/** At `hash & (tableSize - 1)` of the key. */
type Fields = readonly (Field | undefined)[];
const tableSize = 128;
const noFields: Fields = new Array(tableSize).fill(undefined);

function fields(known: Readonly<Record<string, readonly [kind: number, slot?: number] | Fields>>) {
  const table: (Field | undefined)[] = [...noFields];
  for (const [i, [name, field]] of Object.entries(known).entries()) {
    const key = new Uint8Array(Buffer.from(name));
    const place = key.reduce(hashed, 0) & (tableSize - 1);
    if (table[place]) throw new Error(`the key ${name} shares its place with another`);
    const nested = field.length === tableSize;
    const [as, to = slot.none] = nested ? [kind.object] : (field as readonly [number, number?]);
    const inner = nested ? (field as Fields) : noFields;
    table[place] = { key, kind: as, slot: to, bit: 1 << i, inner };
  }
  return table;
}

function hashed(hash: number, byte: number): number {
  return (Math.imul(hash, 7) + byte) | 0;
}

const eventFields = fields({
  event_id: [kind.id, slot.eventId],
  ts: [kind.time, slot.ts],
  tenant_id: [kind.id, slot.tenantId],
  agent_id: [kind.id, slot.agentId],
  task_type: [kind.task, slot.taskType],
  source: [kind.text, slot.source],
  run_id: [kind.text, slot.runId],
  request_id: [kind.text, slot.requestId],
  node: [kind.text, slot.node],
  result: fields({
    ok: [kind.boolean, slot.ok],
    error_class: [kind.text, slot.errorClass],
    error_message: [kind.text],
    http_status: [kind.whole, slot.httpStatus],
    silent: [kind.boolean, slot.silent],
    cancelled: [kind.boolean, slot.cancelled],
  }),
  llm: fields({
    provider: [kind.text, slot.provider],
    model: [kind.text, slot.model],
    profile: [kind.text, slot.profile],
    latency_ms: [kind.amount, slot.latencyMs],
    tokens_in: [kind.amount],
    tokens_out: [kind.amount],
  }),
  tool: fields({
    name: [kind.text, slot.tool],
    latency_ms: [kind.amount, slot.toolLatencyMs],
  }),
  policy: fields({
    sowa_decision: [kind.text, slot.decision],
    reason: [kind.text, slot.reason],
  }),
  feedback: fields({ user_signal: [kind.signal] }),
});

// One scan at a time, in variables of the module: an object for each would be garbage at once.
let bytes: Buffer = Buffer.alloc(0);
let at = 0;
const starts = new Int32Array(slots);
const ends = new Int32Array(slots);
const numbers = new Float64Array(slots);

/** Null: not sure, ask the general decoder. The result is overwritten by the next call. */
export function readPlainEvent(payload: Uint8Array): PlainEvent | null {
  if (payload.length > longest) return null;
  bytes = asBuffer(payload);
  at = 0;
  ends.fill(0);
  numbers.fill(Number.NaN);
  if (bytes[at] !== brace.open) space();
  if (!object(eventFields, 1)) return null;
  space();
  return at === bytes.length && !Number.isNaN(numberAt(slot.ok)) ? plain : null;
}

const plain: PlainEvent = {
  get ok() {
    return numberAt(slot.ok) === 1;
  },
  get silent() {
    return numberAt(slot.silent) === 1 || text(slot.decision) === "SILENT";
  },
  get cancelled() {
    return numberAt(slot.cancelled) === 1;
  },
  get latencyMs() {
    return numberAt(slot.latencyMs);
  },
  get toolLatencyMs() {
    return numberAt(slot.toolLatencyMs);
  },
  get ts() {
    return numberAt(slot.ts);
  },
  get httpStatus() {
    return numberAt(slot.httpStatus);
  },
  text: (field) => text(slot[field]),
  hasText: (field) => ends[slot[field]] !== 0,
};

function numberAt(of: number): number {
  return numbers[of] as number;
}

function asBuffer(payload: Uint8Array): Buffer {
  if (payload instanceof Buffer) return payload;
  return Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
}

/** What each slot held last: agents, tools and models come again and again, and need no new text. */
const lastTexts: string[] = new Array(slots).fill("");
const lastBytes: Uint8Array[] = Array.from({ length: slots }, () => new Uint8Array());

function text(of: number): string | undefined {
  const end = ends[of] as number;
  if (end === 0) return undefined;
  const start = starts[of] as number;
  if (!matches(lastBytes[of] as Uint8Array, start, end)) {
    lastTexts[of] = bytes.toString("latin1", start, end);
    lastBytes[of] = Uint8Array.prototype.slice.call(bytes, start, end);
  }
  return lastTexts[of];
}

const quote = 0x22;
const brace = { open: 0x7b, close: 0x7d };
const bracket = { open: 0x5b, close: 0x5d };
const [colon, comma, dot, zero, nine] = [0x3a, 0x2c, 0x2e, 0x30, 0x39];

/** Printable ASCII but quote and backslash. */
const isPlain = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte >= 0x20 && byte < 0x7f && byte !== quote && byte !== 0x5c ? 1 : 0,
);

function space(): void {
  for (let byte = bytes[at]; byte !== undefined && byte <= 0x20; byte = bytes[++at]) {
    if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) return;
  }
}

function object(known: Fields, depth: number): boolean {
  if (bytes[at] !== brace.open || depth > maxDepth) return false;
  at++;
  space();
  if (bytes[at] === brace.close) {
    at++;
    return true;
  }
  let seen = 0;
  for (;;) {
    const field = key(known);
    if (field === null) return false;
    if (field === undefined) {
      if (!anything(depth + 1)) return false;
    } else {
      // Of a key that comes twice JSON.parse takes the last: too rare to follow here.
      if ((seen & field.bit) !== 0 || !value(field, depth)) return false;
      seen |= field.bit;
    }
    let byte = bytes[at];
    if (byte !== comma && byte !== brace.close) {
      space();
      byte = bytes[at];
    }
    at++;
    if (byte === brace.close) return true;
    if (byte !== comma) return false;
    if (bytes[at] !== quote) space();
  }
}

/** Reads a key and its colon: its field, undefined for an unknown one, null when not sure. */
function key(known: Fields): Field | undefined | null {
  if (bytes[at] !== quote) return null;
  const start = ++at;
  let hash = 0;
  let byte = bytes[at] as number;
  while (isPlain[byte] === 1) {
    hash = (Math.imul(hash, 7) + byte) | 0;
    byte = bytes[++at] as number;
  }
  if (byte !== quote) return null;
  const end = at++;
  if (bytes[at] !== colon) {
    space();
    if (bytes[at] !== colon) return null;
  }
  at++;
  if ((bytes[at] as number) <= 0x20) space();
  const field = known[hash & (tableSize - 1)];
  if (field !== undefined && matches(field.key, start, end)) return field;
  return isForbidden(start, end) ? null : undefined;
}

function matches(expected: Uint8Array, start: number, end: number): boolean {
  if (end - start !== expected.length) return false;
  for (let i = 0; i < expected.length; i++) if (bytes[start + i] !== expected[i]) return false;
  return true;
}

const ascii = (word: string) => new Uint8Array(Buffer.from(word));
const forbidden = [ascii("__proto__"), ascii("constructor")] as const;

function isForbidden(start: number, end: number): boolean {
  return matches(forbidden[0], start, end) || matches(forbidden[1], start, end);
}

function value({ kind: as, slot: to, inner }: Field, depth: number): boolean {
  switch (as) {
    case kind.object:
      return object(inner, depth + 1);
    case kind.id:
      return string(to) && lengthOf(to) >= 1 && lengthOf(to) <= longestId;
    case kind.task:
      return string(to) && lengthOf(to) > 0 && lengthOf(to) <= longestTask;
    case kind.text:
      // An empty one counts as given, and a span that ends where it starts does not show that.
      return string(to) && lengthOf(to) > 0;
    case kind.amount:
      return number(to, true);
    case kind.whole:
      return number(to, false);
    case kind.boolean:
      numbers[to] = bytes[at] === 0x74 ? 1 : 0;
      return literal(words.true) || literal(words.false);
    case kind.time:
      return time(to);
    default:
      return signals.some(literal);
  }
}

function lengthOf(of: number): number {
  return (ends[of] ?? 0) - (starts[of] ?? 0);
}

function anything(depth: number): boolean {
  switch (bytes[at]) {
    case quote:
      return string(slot.none);
    case brace.open:
      return object(noFields, depth);
    case bracket.open:
      return array(depth);
    default:
      return number(slot.none, true) || literals.some(literal);
  }
}

function array(depth: number): boolean {
  if (depth > maxDepth) return false;
  at++;
  space();
  if (bytes[at] === bracket.close) {
    at++;
    return true;
  }
  for (;;) {
    if (!anything(depth + 1)) return false;
    space();
    const byte = bytes[at++];
    if (byte === bracket.close) return true;
    if (byte !== comma) return false;
    space();
  }
}

const words = { true: ascii("true"), false: ascii("false"), null: ascii("null") };
const literals = Object.values(words);
const signals = ["none", "positive", "negative", "retry", "timeout"].map((signal) =>
  ascii(`"${signal}"`),
);

function literal(expected: Uint8Array): boolean {
  if (at + expected.length > bytes.length || !matches(expected, at, at + expected.length)) {
    return false;
  }
  at += expected.length;
  return true;
}

/** The span between the quotes. */
function string(to: number): boolean {
  if (bytes[at] !== quote) return false;
  starts[to] = at + 1;
  let end = at + 1;
  while (isPlain[bytes[end] as number] === 1) end++;
  ends[to] = end;
  at = end + 1;
  return bytes[end] === quote;
}

/** Below 2^53, and far below infinity. */
const mostDigits = 15;

function number(to: number, fraction: boolean): boolean {
  const start = at;
  let whole = 0;
  let byte = bytes[at] as number;
  for (; byte >= zero && byte <= nine; byte = bytes[++at] as number) {
    whole = whole * 10 + (byte - zero);
  }
  const digits = at - start;
  if (digits === 0 || digits > mostDigits || (digits > 1 && bytes[start] === zero)) return false;
  numbers[to] = whole;
  if (byte === dot) {
    if (!fraction) return false;
    const first = ++at;
    while ((bytes[at] as number) >= zero && (bytes[at] as number) <= nine) at++;
    if (at === first) return false;
    numbers[to] = Number(bytes.toString("latin1", start, at));
    byte = bytes[at] as number;
  }
  // An exponent is left to the general decoder.
  return byte !== 0x65 && byte !== 0x45;
}

const timeForm = ascii("0000-00-00T00:00:00");
const shortest = timeForm.length + 1;
let lastDay = -1;
let lastDayMs = 0;

/** Epoch ms, or `YYYY-MM-DDThh:mm:ss[.fraction]Z` on a day that every month has. */
function time(to: number): boolean {
  if (bytes[at] !== quote) return number(to, false) && (numbers[to] as number) <= latestTime;
  if (!string(slot.none)) return false;
  const start = starts[slot.none] as number;
  const last = (ends[slot.none] as number) - 1;
  if (last - start + 1 < shortest || bytes[last] !== 0x5a) return false;
  for (let i = 0; i < timeForm.length; i++) {
    const byte = bytes[start + i] as number;
    if (timeForm[i] === zero ? byte < zero || byte > nine : byte !== timeForm[i]) return false;
  }
  const year = digits(start, 4);
  const [month, day] = [digits(start + 5, 2), digits(start + 8, 2)];
  const [hour, minute, second] = [
    digits(start + 11, 2),
    digits(start + 14, 2),
    digits(start + 17, 2),
  ];
  if (year < 1_970 || month < 1 || month > 12 || day < 1 || day > 28) return false;
  if (hour > 23 || minute > 59 || second > 59) return false;
  const ms = fractionMs(start + timeForm.length, last);
  if (ms < 0) return false;
  const date = year * 10_000 + month * 100 + day;
  if (date !== lastDay) {
    lastDay = date;
    lastDayMs = Date.UTC(year, month - 1, day);
  }
  numbers[to] = lastDayMs + ((hour * 60 + minute) * 60 + second) * 1_000 + ms;
  return true;
}

function digits(start: number, count: number): number {
  let result = 0;
  for (let i = start; i < start + count; i++) result = result * 10 + ((bytes[i] as number) - zero);
  return result;
}

/** Of `.123456` the first three; 0 without a fraction, -1 when it is none. */
function fractionMs(start: number, end: number): number {
  if (start === end) return 0;
  if (bytes[start] !== dot || end - start < 2 || end - start > 10) return -1;
  let ms = 0;
  for (let i = start + 1; i < end; i++) {
    const digit = (bytes[i] as number) - zero;
    if (digit < 0 || digit > 9) return -1;
    if (i <= start + 3) ms += digit * (i === start + 1 ? 100 : i === start + 2 ? 10 : 1);
  }
  return ms;
}
