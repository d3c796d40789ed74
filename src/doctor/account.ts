import type { AccountLimits, JetStreamAccountStats } from "@nats-io/jetstream";
import type { DesiredState } from "../nats/desired-state.ts";
import type { Step } from "../nats/plan.ts";
import type { Found } from "./finding.ts";

/** What the server tells; the client's types (3.4.0) know fewer fields. */
type Usage = JetStreamAccountStats & { readonly reserved_storage?: number };
type Limits = AccountLimits & { readonly storage_max_stream_bytes?: number };

/** What an account has room for, and what is still to be made in it. */
export interface AccountNeeds {
  readonly desired: DesiredState;
  /** What is to be done, as `plan` has it. */
  readonly steps: readonly Step[];
  /** How many streams and consumers each concern needs, in a sentence. */
  readonly costs: string;
  /** Of `JETSTREAM_MAX_BYTES`. */
  readonly maxBytes: number | null;
}

/**
 * Why what is missing cannot be made within the account's limits, one line each: empty where it can. No other check may
 * recommend to provision then.
 */
export function accountObstacles(
  account: Pick<Usage, "limits" | "streams" | "consumers" | "storage" | "reserved_storage">,
  { desired, steps, costs, maxBytes }: AccountNeeds,
): string[] {
  const limits: Limits = account.limits;
  const missing = steps.filter(({ action }) => action === "create").map(({ what }) => what);
  const made = desired.streams.filter(({ stream }) => missing.includes(`stream ${stream.name}`));
  const counted = [
    ["streams", limits.max_streams, account.streams, made.length],
    ["consumers", limits.max_consumers, account.consumers, missing.length - made.length],
  ] as const;
  const obstacles = counted.flatMap(([what, most, used, more]) =>
    most > 0 && used + more > most
      ? [`the account allows ${most} ${what}, ${used} are there and ${more} are to be made: raise the limit, or leave out a concern (EXPERIENCE_CONCERNS): ${costs}`] // biome-ignore format: one sentence
      : [],
  );
  if (made.length === 0) return obstacles;
  if (limits.max_bytes_required && maxBytes === null) {
    obstacles.push(`the account demands a size of each stream: set JETSTREAM_MAX_BYTES${suggestion(account, made.length)}`); // biome-ignore format: one sentence
  }
  const most = limits.storage_max_stream_bytes ?? 0;
  if (most > 0 && maxBytes !== null && maxBytes > most) {
    obstacles.push(
      `the account allows a stream ${most} bytes: JETSTREAM_MAX_BYTES=${maxBytes} is more`,
    );
  }
  const left = storageLeft(account);
  if (left !== null && maxBytes !== null && maxBytes * made.length > left) {
    obstacles.push(`${made.length} streams and buckets of ${maxBytes} bytes are to be made, and the account has ${left} left: set JETSTREAM_MAX_BYTES${suggestion(account, made.length)}`); // biome-ignore format: one sentence
  }
  return obstacles;
}

type Account = Parameters<typeof accountObstacles>[0];

/** Null where the account has no limit. */
function storageLeft({ limits, storage, reserved_storage = 0 }: Account): number | null {
  return limits.max_storage > 0
    ? Math.max(0, limits.max_storage - Math.max(storage, reserved_storage))
    : null;
}

function suggestion(account: Account, streams: number): string {
  const left = storageLeft(account);
  return left === null ? ", like 512M" : ` to ${Math.floor(left / streams)} at most`;
}

/** How much of each limit is used, and a warning where little is left. */
export function reportUsage(account: Account, found: Found): void {
  const { limits, streams, consumers, storage } = account;
  const used = [
    ["streams", streams, limits.max_streams],
    ["consumers", consumers, limits.max_consumers],
    ["bytes of storage", storage, limits.max_storage],
  ] as const;
  for (const [what, count, most] of used) {
    if (most <= 0) continue;
    const isTight = count > 0.9 * most;
    found[isTight ? "warning" : "ok"](`${count} of the account's ${most} ${what} are used`);
  }
}
