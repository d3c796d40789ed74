import type { TSchema } from "./typebox.ts";

/** What may differ between texts of one shape. */
export interface Slot {
  readonly kind: "text" | "number";
  /** Length of a text, value of a number. */
  readonly min: number;
  readonly max: number;
  readonly isInteger: boolean;
}

/** Where the value of a slot belongs. */
export interface Place {
  readonly holder: Record<string, unknown>;
  readonly key: string;
}

/** A longer one is not worth the memory of its shape. */
const maxLength = 16_384;
const quote = 34;
const dot = 46;
const backslash = 92;
const brace = 123;

/** Where the quote is that ends it; negative: it is not plain. */
export function endOfText(payload: Uint8Array, from: number): number {
  for (let at = from; at < payload.length; at++) {
    const byte = payload[at] ?? 0;
    if (byte === quote) return at;
    if (byte < 32 || byte > 126 || byte === backslash) return -1;
  }
  return -1;
}

/** Behind the last digit; negative: it is no number of up to 15 digits, with a fraction or without. */
export function endOfNumber(payload: Uint8Array, from: number): number {
  const whole = endOfDigits(payload, from);
  const startsWithZero = payload[from] === 48;
  if (whole === from || (startsWithZero && whole > from + 1)) return -1;
  const end = payload[whole] === dot ? endOfDigits(payload, whole + 1) : whole;
  return end === whole + 1 || end - from > 16 ? -1 : end;
}

function endOfDigits(payload: Uint8Array, from: number): number {
  let at = from;
  for (let byte = payload[at] ?? 0; byte >= 48 && byte <= 57; byte = payload[at] ?? 0) at += 1;
  return at;
}

export function latin1(payload: Uint8Array): string {
  const { buffer, byteOffset, byteLength } = payload;
  const bytes = Buffer.isBuffer(payload) ? payload : Buffer.from(buffer, byteOffset, byteLength);
  return bytes.toString("latin1");
}

export interface Part {
  /** What comes before the slot. */
  readonly literal: Uint8Array;
  readonly slot: Slot;
  /** Null: the schema does not know it. */
  readonly place: Place | null;
}

export interface Shape {
  /** What the text says; the places are in it. */
  readonly value: object;
  readonly parts: readonly Part[];
  readonly rest: Uint8Array;
}

/** What may differ in a JSON text; null where it is not so plain that this can be told. */
export function shapeIn(payload: Uint8Array, schema: TSchema): Shape | null {
  const isPlain = payload[0] === brace && !payload.includes(backslash);
  if (!isPlain || payload.length > maxLength) return null;
  const text = latin1(payload);
  const value: unknown = JSON.parse(Buffer.from(payload).toString());
  if (typeof value !== "object" || value === null) return null;
  const parts: Part[] = [];
  let at = 0;
  let literalFrom = 0;
  let isTwice = false;

  const blanks = () => {
    while (" \t\n\r".includes(text[at] ?? "x")) at += 1;
  };
  const slotTo = (end: number, slot: Slot | null, place: Place | null) => {
    // A copy: the message is let go.
    if (slot !== null) {
      parts.push({ literal: payload.slice(literalFrom, at), slot, place });
      literalFrom = end;
    }
    at = end;
  };

  function walk(of: JsonSchema | undefined, holder: Record<string, unknown>, key: string): void {
    blanks();
    const first = text[at] ?? "";
    const place = of === undefined ? null : { holder, key };
    if (first === "{") {
      walkObject(of, holder[key]);
      return;
    }
    if (first === "[") {
      walkArray(holder[key]);
      return;
    }
    if (first === '"') {
      at += 1;
      slotTo(text.indexOf('"', at), slotOf(of, "text"), place);
      at += 1;
      return;
    }
    const end = endOfNumber(payload, at);
    if (end > 0 && /[,\]}\s]/.test(text[end] ?? "")) {
      slotTo(end, slotOf(of, "number"), place);
      return;
    }
    while (!/[,\]}\s]/.test(text[at] ?? ",")) at += 1;
  }

  function walkObject(of: JsonSchema | undefined, value: unknown): void {
    const holder = value as Record<string, unknown>;
    const keys = new Set<string>();
    for (at += 1, blanks(); text[at] !== "}"; blanks()) {
      if (text[at] === ",") {
        at += 1;
        blanks();
      }
      const end = text.indexOf('"', at + 1);
      const key = text.slice(at + 1, end);
      // Of two with one name the last one counts.
      isTwice ||= keys.has(key) || !Object.hasOwn(holder, key);
      keys.add(key);
      at = end + 1;
      blanks();
      at += 1;
      if (isTwice) return;
      const properties = of?.properties;
      walk(properties && Object.hasOwn(properties, key) ? properties[key] : undefined, holder, key);
      if (isTwice) return;
    }
    at += 1;
  }

  function walkArray(value: unknown): void {
    const items = value as Record<string, unknown>;
    let index = 0;
    for (at += 1, blanks(); text[at] !== "]"; blanks()) {
      if (text[at] === ",") {
        at += 1;
        blanks();
      }
      walk(undefined, items, String(index++));
      if (isTwice) return;
    }
    at += 1;
  }

  walk(schema, { value }, "value");
  if (isTwice) return null;
  return { value, parts, rest: payload.slice(literalFrom) };
}

/** What is asked of TypeBox's schemas, which are JSON Schema. */
interface JsonSchema {
  readonly type?: string;
  readonly properties?: Readonly<Record<string, TSchema>>;
  readonly anyOf?: readonly JsonSchema[];
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
}

/** Whatever else a schema asks for is not looked at here. */
const understood = new Set([
  "type",
  "anyOf",
  "minLength",
  "maxLength",
  "minimum",
  "maximum",
  "description",
]);

/** What may stand there; null: nothing else than what stood there. A field that the schema does not know may be anything. */
function slotOf(schema: JsonSchema | undefined, kind: Slot["kind"]): Slot | null {
  const max = Number.POSITIVE_INFINITY;
  if (schema === undefined) return { kind, min: 0, max, isInteger: false };
  const types = kind === "text" ? ["string"] : ["number", "integer"];
  const of = [schema, ...(schema.anyOf ?? [])].find(({ type = "" }) => types.includes(type));
  const asked = [schema, of ?? {}].flatMap((one) => Object.keys(one));
  if (of === undefined || asked.some((word) => !understood.has(word) && word[0] !== "~"))
    return null;
  if (kind === "text") {
    return { kind, min: of.minLength ?? 1, max: of.maxLength ?? max, isInteger: false };
  }
  const { minimum = -max, maximum = max } = of;
  return { kind, min: minimum, max: maximum, isInteger: of.type === "integer" };
}
