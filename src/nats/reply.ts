/** What the reply subject of a JetStream message says of it. */
export interface Said {
  /** In its stream. */
  readonly sequence: number;
  /** When it was stored, epoch ms. */
  readonly storedAt: number;
  /** How many messages the consumer has yet to deliver. */
  readonly pending: number;
}

/** Behind the names of stream and consumer, in this order. */
const fields = { deliveries: 0, sequence: 1, consumerSequence: 2, time: 3, pending: 4 } as const;

/**
 * One field of a reply subject, of which those begin at `start`. ADR-15: `$JS.ACK.[<domain>.<account>.]<stream>.<consumer>.
 * <deliveries>.<stream sequence>.<consumer sequence>.<time, ns>.<pending>[.<token>]`, with all that is in brackets or with
 * none of it. The client's own reading of it costs several times as much, and takes the nanoseconds for a number, which cannot
 * hold them: the last six digits go while they are text, so this is ms.
 */
export function fieldOf(reply: string, start: number, field: keyof typeof fields): number {
  let from = start;
  for (let i = 0; i < fields[field]; i++) from = reply.indexOf(".", from) + 1;
  const end = reply.indexOf(".", from);
  const text = reply.slice(from, end === -1 ? reply.length : end);
  return Number(field === "time" ? text.slice(0, -6) : text);
}

export function saidIn(reply: string): Said {
  const ends: number[] = [];
  for (let at = reply.indexOf("."); at >= 0; at = reply.indexOf(".", at + 1)) ends.push(at);
  // Nine tokens, or at least eleven.
  const start = (ends[ends.length === 8 ? 3 : 5] ?? reply.length) + 1;
  return {
    sequence: fieldOf(reply, start, "sequence"),
    storedAt: fieldOf(reply, start, "time"),
    pending: fieldOf(reply, start, "pending"),
  };
}
