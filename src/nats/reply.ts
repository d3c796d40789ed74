/** What the reply subject of a JetStream message says of it. */
export interface Said {
  /** In its stream. */
  readonly sequence: number;
  /** When it was stored, epoch ms. */
  readonly storedAt: number;
  /** How many messages the consumer has yet to deliver. */
  readonly pending: number;
}

const dot = 46;
const zero = 48;
const nanosDigits = 6;

/**
 * ADR-15: `$JS.ACK.[<domain>.<account>.]<stream>.<consumer>.<deliveries>.<stream sequence>.<consumer sequence>.<time,
 * ns>.<pending>[.<token>]`, with all that is in brackets or with none of it. The client's own reading of it costs several times
 * as much, and takes the nanoseconds for a number, which cannot hold them.
 */
export function saidIn(reply: string): Said {
  const ends: number[] = [];
  for (let at = reply.indexOf("."); at >= 0; at = reply.indexOf(".", at + 1)) ends.push(at);
  // Nine tokens, or at least eleven.
  const first = ends.length === 8 ? 5 : 7;
  const from = (token: number) => (ends[token - 1] ?? reply.length) + 1;
  return {
    sequence: numberFrom(reply, from(first), reply.length),
    storedAt: numberFrom(reply, from(first + 2), from(first + 3) - 1 - nanosDigits),
    pending: numberFrom(reply, from(first + 3), reply.length),
  };
}

/** Up to the next dot, or to that place. */
function numberFrom(text: string, from: number, to: number): number {
  let number = 0;
  for (let at = from; at < to; at++) {
    const code = text.charCodeAt(at);
    if (code === dot) break;
    number = number * 10 + code - zero;
  }
  return number;
}
