import { JetStreamApiError } from "@nats-io/jetstream";
import { BusError } from "../errors.ts";

/** What JetStream refuses to create by its own limits or the account's (server/errors.json), and what a person can do. */
export const limitCodes = { consumers: 10026, streams: 10027 } as const;
/** No room on the server, or within the account's limit. */
export const noRoomCodes: readonly number[] = [10002, 10023, 10047];

const smaller =
  "set JETSTREAM_MAX_BYTES to less (it counts for each stream and bucket), or raise the limit";
const remedies: Readonly<Record<number, string>> = {
  [limitCodes.consumers]:
    "raise the account's limit of consumers, or leave out a concern (EXPERIENCE_CONCERNS)",
  [limitCodes.streams]:
    "raise the account's limit of streams, or leave out a concern (EXPERIENCE_CONCERNS)",
  ...Object.fromEntries(noRoomCodes.map((code) => [code, smaller])),
  10074: "set JETSTREAM_REPLICAS=1, or connect to a cluster",
  10113: "the account demands a size of each stream: set JETSTREAM_MAX_BYTES, like 512M",
  10120:
    "the account has no limits for so many replicas: change JETSTREAM_REPLICAS, or the account",
  10122: "set JETSTREAM_MAX_BYTES to what the account allows a stream at most",
};

/** What cures it; null where that is no matter of limits, and may pass. */
export function remedyFor(error: unknown): string | null {
  if (error instanceof JetStreamApiError) return remedies[error.code] ?? null;
  return error instanceof Error && error.cause !== undefined ? remedyFor(error.cause) : null;
}

/** No waiting cures it: `bad_request`, with what does. Anything else is passed on as it is. */
export function asRefusal(error: unknown): unknown {
  const remedy = remedyFor(error);
  if (remedy === null || !(error instanceof BusError)) return error;
  return new BusError("bad_request", `${error.message}: ${remedy}`, { cause: error });
}

/** So many streams, or consumers, and no more. */
export function isNumberLimit(error: unknown): boolean {
  if (error instanceof JetStreamApiError) {
    return Object.values(limitCodes).some((code) => code === error.code);
  }
  return error instanceof Error && error.cause !== undefined && isNumberLimit(error.cause);
}
