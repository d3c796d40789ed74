import { Readable, type Transform } from "node:stream";
import { createGunzip } from "node:zlib";
import { BusError, messageOf } from "../errors.ts";

type Chunks = AsyncIterable<Uint8Array>;

/** How a file begins that is no text (file(1) knows them so), and the command that makes text of it. */
const packed: readonly (readonly [start: readonly number[], name: string, remedy: string])[] = [
  [[0x28, 0xb5, 0x2f, 0xfd], "compressed with zstd", "unpack it first: zstd -dc"],
  [[0xfd, 0x37, 0x7a, 0x58, 0x5a], "compressed with xz", "unpack it first: xz -dc"],
  [[0x42, 0x5a, 0x68], "compressed with bzip2", "unpack it first: bzip2 -dc"],
  [[0x50, 0x4b, 0x03, 0x04], "a zip archive", "unpack it first: unzip -p"],
  [[0x50, 0x41, 0x52, 0x31], "a Parquet file", "write one JSON object a line"],
  [[0x4f, 0x62, 0x6a, 0x01], "an Avro file", "write one JSON object a line"],
  [[0x53, 0x51, 0x4c, 0x69, 0x74, 0x65], "an SQLite database", "write one JSON object a line"],
  [[0xff, 0xfe, 0, 0], "in UTF-32", "write it in UTF-8: iconv -f UTF-32 -t UTF-8"],
  [[0, 0, 0xfe, 0xff], "in UTF-32", "write it in UTF-8: iconv -f UTF-32 -t UTF-8"],
];

/**
 * UTF-8, whatever the input is written in: gzip is unpacked, UTF-16 (with its mark, or told by the zeros beside an
 * opening bracket) is read. Throws `bad_request`, with the way out, for what is no text at all.
 */
export async function* textOf(input: Chunks): AsyncGenerator<Uint8Array> {
  const { start, chunks } = await peek(input);
  for (const [bytes, name, remedy] of packed) {
    if (!begins(start, bytes)) continue;
    throw new BusError("bad_request", `the input is ${name}: ${remedy}`);
  }
  if (begins(start, [0x1f, 0x8b])) yield* textOf(unzipped(chunks));
  else {
    const utf16 = utf16Of(start);
    yield* utf16 === null ? chunks : decoded(chunks, utf16);
  }
}

function begins(start: Uint8Array, bytes: readonly number[]): boolean {
  return bytes.every((byte, i) => start[i] === byte);
}

function utf16Of(start: Uint8Array): "utf-16le" | "utf-16be" | null {
  const brackets = [0x7b, 0x5b];
  if (begins(start, [0xff, 0xfe])) return "utf-16le";
  if (begins(start, [0xfe, 0xff])) return "utf-16be";
  if (brackets.some((one) => begins(start, [one, 0]))) return "utf-16le";
  return brackets.some((one) => begins(start, [0, one])) ? "utf-16be" : null;
}

const peekedBytes = 8;

/** The first bytes, and everything from the beginning. */
async function peek(input: Chunks): Promise<{ start: Uint8Array; chunks: Chunks }> {
  const iterator = input[Symbol.asyncIterator]();
  let held = Buffer.alloc(0);
  let isOver = false;
  while (!isOver && held.length < peekedBytes) {
    const { value, done } = await iterator.next();
    if (done) isOver = true;
    else held = Buffer.concat([held, value]);
  }
  async function* all(): AsyncGenerator<Uint8Array> {
    try {
      yield held;
      while (!isOver) {
        const { value, done } = await iterator.next();
        if (done) return;
        yield value;
      }
    } finally {
      await iterator.return?.();
    }
  }
  return { start: held, chunks: all() };
}

async function* unzipped(chunks: Chunks): AsyncGenerator<Uint8Array> {
  const gunzip: Transform = createGunzip();
  const packedText = Readable.from(chunks).on("error", (error) => gunzip.destroy(error));
  try {
    for await (const chunk of packedText.pipe(gunzip)) yield chunk;
  } catch (error) {
    const isDamaged = /^Z_/.test((error as NodeJS.ErrnoException).code ?? "");
    if (!isDamaged) throw error;
    throw new BusError("bad_request", `the gzip input is damaged: ${messageOf(error)}`);
  }
}

async function* decoded(chunks: Chunks, encoding: string): AsyncGenerator<Uint8Array> {
  const decoder = new TextDecoder(encoding);
  const encoder = new TextEncoder();
  for await (const chunk of chunks) yield encoder.encode(decoder.decode(chunk, { stream: true }));
  yield encoder.encode(decoder.decode());
}
