import { BusError } from "../../../errors.ts";

/**
 * Reads Protocol Buffers' wire format (protobuf.dev/programming-guides/encoding) without a schema compiler. Every length
 * is held against the end of what contains it and a varint against ten bytes, so that whatever comes, reading moves on
 * and ends. Nothing here recurses. Throws `BusError` `bad_request` for what is no such message.
 */
export interface Field {
  readonly number: number;
  readonly type: WireType;
  /** Of `bytes`: where they are. Of the others: where the value is. */
  readonly start: number;
  readonly end: number;
}

export const wireTypes = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;
export type WireType = (typeof wireTypes)[keyof typeof wireTypes];

const longestVarint = 10;
const highest = 2 ** 32;

export type Wire = ReturnType<typeof openWire>;

export function openWire(message: Uint8Array) {
  const buffer = Buffer.from(message.buffer, message.byteOffset, message.byteLength);
  /** Where reading a varint ended. */
  let next = 0;

  /** The lower and upper 32 bits. */
  let low = 0;
  let high = 0;

  function readVarint(start: number, end: number): void {
    low = 0;
    high = 0;
    for (let at = start, shift = 0; ; at++, shift += 7) {
      if (at >= end || at - start >= longestVarint) throw broken("a number does not end");
      const byte = buffer[at] ?? 0;
      const bits = byte & 0x7f;
      if (shift < 28) low |= bits << shift;
      else if (shift === 28) {
        low |= bits << 28;
        high |= bits >> 4;
      } else if (shift < 63) high |= bits << (shift - 32);
      else high |= bits << 31;
      if (byte < 0x80) {
        next = at + 1;
        low >>>= 0;
        high >>>= 0;
        return;
      }
    }
  }

  /** Small numbers: tags, lengths, enumerations. */
  function varint(start: number, end: number): number {
    readVarint(start, end);
    return high * highest + low;
  }

  return {
    length: buffer.length,
    /** Each field between two places, in the order in which they stand there. */
    *fields(start: number, end: number): Generator<Field> {
      for (let at = start; at < end; ) {
        const tag = varint(at, end);
        const number = Math.floor(tag / 8);
        if (number < 1 || number > 536_870_911) throw broken("a field has no valid number");
        const type = tag % 8;
        const from = next;
        let to: number;
        let valueStart = from;
        if (type === wireTypes.varint) {
          readVarint(from, end);
          to = next;
        } else if (type === wireTypes.fixed64) to = from + 8;
        else if (type === wireTypes.fixed32) to = from + 4;
        else if (type === wireTypes.bytes) {
          const length = varint(from, end);
          valueStart = next;
          to = valueStart + length;
        } else throw broken(`wire type ${type} is not used by OTLP`);
        if (to > end) throw broken("a field is longer than what contains it");
        yield { number, type, start: valueStart, end: to };
        at = to;
      }
    },
    unsigned: ({ start, end }: Field): number => varint(start, end),
    /** A 64-bit integer, two's complement; beyond 2^53 the nearest that a number can hold. */
    signed({ start, end }: Field): number {
      readVarint(start, end);
      return (high | 0) * highest + low;
    },
    fixed64: ({ start }: Field): number =>
      buffer.readUInt32LE(start + 4) * highest + buffer.readUInt32LE(start),
    double: ({ start }: Field): number => buffer.readDoubleLE(start),
    /** UTF-8; what is none becomes U+FFFD. */
    text: ({ start, end }: Field): string => buffer.toString("utf8", start, end),
    hex: ({ start, end }: Field): string => buffer.toString("hex", start, end),
  };
}

function broken(what: string): BusError {
  return new BusError("bad_request", `not a Protocol Buffers message: ${what}`);
}
