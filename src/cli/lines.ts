/** A line without its end, nor the mark that may begin a file in UTF-8; or a value that begins in that line. */
export interface Line {
  /** Counted from 1. */
  readonly number: number;
  /** The how manieth it is, counted from 1; of lines the empty ones count, too. */
  readonly ordinal: number;
  /** Null where it is longer than the limit, and so was not kept. */
  readonly bytes: Uint8Array | null;
}

const newline = 10;
const carriageReturn = 13;
const byteOrderMark = Buffer.from("\ufeff");

/** Of a line no more is held than the limit, however long it is. Lines that are empty are left out. */
export async function* linesOf(
  chunks: AsyncIterable<Uint8Array>,
  limitBytes: number,
): AsyncGenerator<Line> {
  let parts: Uint8Array[] = [];
  let held = 0;
  let number = 1;
  const add = (part: Uint8Array) => {
    held += part.length;
    if (held <= limitBytes) parts.push(part);
    else parts = [];
  };
  const end = (): Line | null => {
    const bytes = held <= limitBytes ? withoutEnds(Buffer.concat(parts), number) : null;
    const line = { number, ordinal: number, bytes };
    parts = [];
    held = 0;
    number += 1;
    return bytes !== null && isBlank(bytes) ? null : line;
  };
  for await (const chunk of chunks) {
    let start = 0;
    for (let at = chunk.indexOf(newline); at !== -1; at = chunk.indexOf(newline, start)) {
      add(chunk.subarray(start, at));
      start = at + 1;
      const line = end();
      if (line !== null) yield line;
    }
    add(chunk.subarray(start));
  }
  const last = end();
  if (last !== null) yield last;
}

function withoutEnds(bytes: Buffer, number: number): Uint8Array {
  const isMarked = number === 1 && byteOrderMark.equals(bytes.subarray(0, byteOrderMark.length));
  const end = bytes.at(-1) === carriageReturn ? -1 : bytes.length;
  return bytes.subarray(isMarked ? byteOrderMark.length : 0, end);
}

function isBlank(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 32 || byte === 9);
}
