import { BusError } from "../errors.ts";

/** The object itself is level 1. */
export const maxDepth = 16;

/** A byte order mark, which Windows puts before texts, is passed over, as RFC 8259 allows (section 8.1). */
const utf8 = new TextDecoder("utf-8", { fatal: true });

/**
 * Parses one JSON object and refuses what would hurt later: bad UTF-8, nesting past `maxDepth`,
 * `__proto__` and `constructor` keys, and text that Postgres cannot hold (NUL, lone surrogates).
 * Throws `BusError` `bad_request` with the reason.
 */
export function parseJsonObject(payload: Uint8Array): Record<string, unknown> {
  const value = parseJson(payload);
  if (!isObject(value)) throw new BusError("bad_request", "not a JSON object");
  return value;
}

/** The same for any JSON value. */
function parseJson(payload: Uint8Array): unknown {
  const text = decodeText(payload);
  const value = parseText(text);
  // Almost no payload has what the walk looks for, and these searches cost a tenth of it.
  const suspicious =
    text.includes("\\") ||
    text.includes("__proto__") ||
    text.includes("constructor") ||
    opensMoreThan(text, maxDepth);
  if (suspicious) inspect(value, 1);
  return value;
}

/** Parses a list whose items are inspected one by one, each by `inspectJson`; what is no list is a list of one. */
export function parseJsonItems(payload: Uint8Array): readonly unknown[] {
  const value = parseText(decodeText(payload));
  return Array.isArray(value) ? value : [value];
}

/** Refuses in a parsed value what `parseJsonObject` refuses. */
export function inspectJson(value: unknown): void {
  inspect(value, 1);
}

function parseText(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new BusError("bad_request", "not JSON", { cause: error });
  }
}

/** Without the byte order mark. Throws `BusError` `bad_request`. */
export function decodeText(payload: Uint8Array): string {
  try {
    return utf8.decode(payload);
  } catch (error) {
    throw new BusError("bad_request", "not UTF-8", { cause: error });
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Fewer brackets than levels cannot nest too deep. */
function opensMoreThan(text: string, most: number): boolean {
  let count = 0;
  for (const bracket of ["{", "["]) {
    for (let at = text.indexOf(bracket); at !== -1; at = text.indexOf(bracket, at + 1)) {
      if (++count > most) return true;
    }
  }
  return false;
}

function inspect(value: unknown, depth: number): void {
  if (typeof value === "string") inspectText(value);
  if (typeof value !== "object" || value === null) return;
  if (depth > maxDepth) throw new BusError("bad_request", `nests deeper than ${maxDepth} levels`);
  if (Array.isArray(value)) {
    for (const item of value) inspect(item, depth + 1);
    return;
  }
  for (const [key, item] of Object.entries(value)) {
    if (key === "__proto__" || key === "constructor") {
      throw new BusError("bad_request", `has a key ${key}`);
    }
    inspectText(key);
    inspect(item, depth + 1);
  }
}

function inspectText(text: string): void {
  if (text.includes("\u0000")) throw new BusError("bad_request", "has a NUL character");
  if (!text.isWellFormed()) throw new BusError("bad_request", "contains an unpaired surrogate");
}
