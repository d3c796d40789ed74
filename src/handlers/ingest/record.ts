/** What the doors hand to the dialects: spans, log records and plain objects, with the attributes that are read at all. */

export type Value = string | number | boolean | readonly string[];
export type Attributes = ReadonlyMap<string, Value>;

/** Who emitted a record. */
export interface Origin {
  readonly resource: Attributes;
  /** Name of the instrumentation scope. */
  readonly scope: string;
}

export interface Exception {
  readonly type: string;
  readonly message: string;
}

export interface Span {
  /** Lower-case hexadecimal, 32 and 16 digits. */
  readonly traceId: string;
  readonly spanId: string;
  /** Empty: a root. */
  readonly parentSpanId: string;
  readonly name: string;
  /** 1 internal, 2 server, 3 client, 4 producer, 5 consumer; 0 unset. */
  readonly kind: number;
  /** Epoch milliseconds; 0 where unset. */
  readonly startMs: number;
  readonly endMs: number;
  readonly attributes: Attributes;
  /** 0 unset, 1 ok, 2 error. */
  readonly statusCode: number;
  readonly statusMessage: string;
  /** The last one that was recorded. It may have been handled, so alone it is no failure. */
  readonly exception: Exception | null;
}

export interface LogRecord {
  /** Epoch milliseconds; 0 where unset. */
  readonly timeMs: number;
  readonly observedMs: number;
  readonly eventName: string;
  /** Where it is a text: some producers put the event's name there. */
  readonly body: string;
  /** Empty where the record belongs to no trace. */
  readonly traceId: string;
  readonly spanId: string;
  readonly attributes: Attributes;
}

/** The first of these attributes that is a text with something in it. */
export function textOf(attributes: Attributes, ...keys: readonly string[]): string | undefined {
  for (const key of keys) {
    const value = attributes.get(key);
    if (typeof value === "string" && /\S/.test(value)) return value;
    if (typeof value === "number") return String(value);
  }
  return undefined;
}

/** The first of these attributes that is a number, or a text of one. */
export function numberOf(attributes: Attributes, ...keys: readonly string[]): number | undefined {
  for (const key of keys) {
    const value = attributes.get(key);
    const number = typeof value === "string" && value.trim() !== "" ? Number(value) : value;
    if (typeof number === "number" && Number.isFinite(number)) return number;
  }
  return undefined;
}

/** True or false, also as a text; undefined where it is neither. */
export function flagOf(attributes: Attributes, ...keys: readonly string[]): boolean | undefined {
  for (const key of keys) {
    const value = attributes.get(key);
    if (typeof value === "boolean") return value;
    if (value === "true" || value === "false") return value === "true";
  }
  return undefined;
}
