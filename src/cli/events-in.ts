import { type Line, linesOf } from "./lines.ts";
import { valuesOf } from "./values.ts";

const opening = { brace: 0x7b, bracket: 0x5b };
const quote = 0x22;
const backslash = 0x5c;
const newline = 0x0a;

/**
 * The events of a text in UTF-8: one a line, or, where the beginning shows that lines are not meant, the elements of
 * an array and objects over several lines. A list of lines stays one: a bad line spoils no other.
 */
export async function* eventsIn(
  chunks: AsyncIterable<Uint8Array>,
  limitBytes: number,
): AsyncGenerator<Line> {
  const iterator = chunks[Symbol.asyncIterator]();
  const held: Uint8Array[] = [];
  let firstLine: Uint8Array | null = null;
  let heldBytes = 0;
  while (firstLine === null && heldBytes <= limitBytes) {
    const { value, done } = await iterator.next();
    if (done) break;
    held.push(value);
    heldBytes += value.length;
    firstLine = firstLineOf(Buffer.concat(held));
  }
  async function* all(): AsyncGenerator<Uint8Array> {
    yield* held;
    yield* { [Symbol.asyncIterator]: () => iterator };
  }
  const start = firstLine ?? Buffer.concat(held);
  yield* isSpread(start) ? valuesOf(all(), limitBytes) : linesOf(all(), limitBytes);
}

/** The first line that is not blank, without its end; null while there is none that is whole. */
function firstLineOf(text: Buffer): Uint8Array | null {
  const start = text.findIndex((byte) => !isBlank(byte) && !isMark(byte));
  const end = start < 0 ? -1 : text.indexOf(newline, start);
  return end < 0 ? null : text.subarray(start, end);
}

/** An array, or an object that goes on in the next line: open at the line's end, after what more must follow. */
function isSpread(text: Uint8Array): boolean {
  const line = text.filter((byte) => !isMark(byte));
  const first = line.find((byte) => !isBlank(byte));
  if (first === opening.bracket) return true;
  if (first !== opening.brace) return false;
  let depth = 0;
  let inString = false;
  let last = 0;
  for (let i = 0; i < line.length; i++) {
    const byte = line[i] ?? 0;
    if (!isBlank(byte)) last = byte;
    if (inString && byte === backslash) i++;
    else if (byte === quote) inString = !inString;
    else if (!inString && (byte === 0x7b || byte === 0x5b)) depth++;
    else if (!inString && (byte === 0x7d || byte === 0x5d)) depth--;
  }
  return !inString && depth > 0 && [0x7b, 0x5b, 0x2c, 0x3a].includes(last);
}

function isBlank(byte: number): boolean {
  return byte === 0x20 || (byte >= 0x09 && byte <= 0x0d);
}

/** Of the mark that may begin a file in UTF-8. */
function isMark(byte: number): boolean {
  return byte === 0xef || byte === 0xbb || byte === 0xbf;
}
