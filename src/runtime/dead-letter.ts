/** What is known of a message that was given up, besides its payload. */
export interface DeadLetter {
  /** Its sequence in `DEAD_LETTERS` when it was written; stays the same when it is marked replayed. */
  readonly id: string;
  /** Where the message came from. */
  readonly stream: string;
  readonly durable: string;
  readonly subject: string;
  readonly sequence: number;
  /** Why, in words, and as a code: an error code, or `crash_loop`. */
  readonly reason: string;
  readonly code: string;
  /** Started attempts that failed by the message's own fault. */
  readonly attempts: number;
  readonly deliveries: number;
  /** Epoch ms: when the source stream stored the message, and when it was given up. */
  readonly storedAt: number | null;
  readonly at: number;
  /** How often the message had been replayed before it was given up here. */
  readonly replays: number;
  /** Epoch ms; null while it has not been replayed. */
  readonly replayedAt: number | null;
  /** Of the original payload, of which only the beginning is kept if `isCut`. */
  readonly bytes: number;
  readonly isCut: boolean;
}

/** How many wait to be looked at. */
export interface OpenLetters {
  readonly open: number;
  readonly byDurable: readonly { stream: string; durable: string; count: number }[];
  /** When the newest of the open ones was written, epoch ms. */
  readonly newestAt: number | null;
  /** How many have been replayed, and are kept. */
  readonly replayed: number;
}

/** The open ones by `<stream>/<durable>`. */
export function openByDurable({ byDurable }: OpenLetters): Record<string, number> {
  return Object.fromEntries(
    byDurable.map(({ stream, durable, count }) => [`${stream}/${durable}`, count]),
  );
}

export interface DeadLetterFilter {
  readonly stream?: string | undefined;
  readonly durable?: string | undefined;
  /** Part of the reason, in any case, or the whole code. */
  readonly reason?: string | undefined;
  /** Given up at or after, before: epoch ms. */
  readonly since?: number | undefined;
  readonly until?: number | undefined;
  readonly replayed?: boolean | undefined;
}

export function matches(letter: DeadLetter, filter: DeadLetterFilter): boolean {
  const { stream, durable, reason, since, until, replayed } = filter;
  return (
    (stream === undefined || letter.stream === stream) &&
    (durable === undefined || letter.durable === durable) &&
    (reason === undefined || isAbout(letter, reason)) &&
    (since === undefined || letter.at >= since) &&
    (until === undefined || letter.at < until) &&
    (replayed === undefined || (letter.replayedAt !== null) === replayed)
  );
}

function isAbout({ code, reason }: DeadLetter, wanted: string): boolean {
  return code === wanted || reason.toLowerCase().includes(wanted.toLowerCase());
}
