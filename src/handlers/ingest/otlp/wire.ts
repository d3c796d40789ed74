import { BusError } from "../../../errors.ts";

export interface Field extends Place {
  readonly number: number;
  readonly type: WireType;
}

/** Of `bytes`: where they are. Of the others: where the value is. */
export interface Place {
  readonly start: number;
  readonly end: number;
}

/** The field that it stands at, once `next` has moved it on; `next` is false where there is no other. */
export interface Fields extends Field {
  next(): boolean;
}

export const wireTypes = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;
export type WireType = (typeof wireTypes)[keyof typeof wireTypes];

const longestVarint = 10;
const highest = 2 ** 32;

export type Wire = ReturnType<typeof openWire>;

/**
 * Reads Protocol Buffers' wire format (protobuf.dev/programming-guides/encoding) without a schema compiler. Every length
 * is held against the end of what contains it and a varint against ten bytes, so that whatever comes, reading moves on
 * and ends. Nothing here recurses. Throws `BusError` `bad_request` for what is no such message.
 */
export function openWire(message: Uint8Array) {
  const buffer = Buffer.from(message.buffer, message.byteOffset, message.byteLength);
  /** Where reading a varint ended. */
  let nextAt = 0;

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
        nextAt = at + 1;
        low >>>= 0;
        high >>>= 0;
        return;
      }
    }
  }

  /** Small numbers: tags, lengths, enumerations. */
  function varint(start: number, end: number): number {
    const byte = buffer[start] ?? 0;
    if (byte < 0x80 && start < end) {
      nextAt = start + 1;
      return byte;
    }
    readVarint(start, end);
    return high * highest + low;
  }

  return {
    length: buffer.length,
    /** Goes through the fields between two places, in the order in which they stand there. */
    fields(start: number, end: number): Fields {
      let at = start;
      const field = { number: 0, type: 0 as WireType, start: 0, end: 0, next };
      function next(): boolean {
        if (at >= end) return false;
        const tag = varint(at, end);
        const number = Math.floor(tag / 8);
        if (number < 1 || number > 536_870_911) throw broken("a field has no valid number");
        const type = tag % 8;
        let from = nextAt;
        let to: number;
        if (type === wireTypes.bytes) {
          const length = varint(from, end);
          from = nextAt;
          to = from + length;
        } else if (type === wireTypes.varint) {
          readVarint(from, end);
          to = nextAt;
        } else if (type === wireTypes.fixed64) to = from + 8;
        else if (type === wireTypes.fixed32) to = from + 4;
        else throw broken(`wire type ${type} is not used by OTLP`);
        if (to > end) throw broken("a field is longer than what contains it");
        field.number = number;
        field.type = type;
        field.start = from;
        field.end = to;
        at = to;
        return true;
      }
      return field;
    },
    unsigned: ({ start, end }: Place): number => varint(start, end),
    /** A 64-bit integer, two's complement; beyond 2^53 the nearest that a number can hold. */
    signed({ start, end }: Place): number {
      readVarint(start, end);
      return (high | 0) * highest + low;
    },
    fixed64: ({ start }: Place): number =>
      buffer.readUInt32LE(start + 4) * highest + buffer.readUInt32LE(start),
    double: ({ start }: Place): number => buffer.readDoubleLE(start),
    /** UTF-8; what is none becomes U+FFFD. */
    text: ({ start, end }: Place): string => buffer.toString("utf8", start, end),
    /** A name in ASCII; what is none becomes another name. */
    name: ({ start, end }: Place): string => buffer.toString("latin1", start, end),
    hex: ({ start, end }: Place): string => buffer.toString("hex", start, end),
  };
}

function broken(what: string): BusError {
  return new BusError("bad_request", `not a Protocol Buffers message: ${what}`);
}
