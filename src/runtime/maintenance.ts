import { isOutage, isRefusal } from "../errors.ts";
import type { Logger } from "../log.ts";
import { backoffMs, pause } from "./backoff.ts";

/** Periodic work: done now and then by every replica, harmless when several do it at once. */
export interface Upkeep {
  readonly name: string;
  /** On average so often; default: every ten minutes. */
  readonly everyMs?: number;
  /** Does all that is due; ends early when aborted. */
  readonly run: (signal: AbortSignal) => Promise<void>;
}

const tenMinutesMs = 10 * 60_000;

/**
 * Once at the start, then again and again, not in step with other replicas. An outage is waited out
 * until the next time, and so is a refusal; anything else is a bug.
 */
export function startUpkeep(
  upkeep: Upkeep,
  options: { readonly log: Logger; readonly onFatal: (error: unknown) => void },
): { stop(): Promise<void> } {
  const stopping = new AbortController();
  const { signal } = stopping;
  const everyMs = (4 / 3) * (upkeep.everyMs ?? tenMinutesMs);
  async function run(): Promise<void> {
    while (!signal.aborted) {
      try {
        await upkeep.run(signal);
      } catch (error) {
        // What PostgreSQL refuses is no reason to stop everything else; it takes a person to mend it.
        if (isRefusal(error)) options.log.error({ err: error }, `${upkeep.name} is refused`);
        else if (isOutage(error)) options.log.warn({ err: error }, `${upkeep.name} has to wait`);
        else return options.onFatal(error);
      }
      await pause(backoffMs(0, everyMs, everyMs), signal);
    }
  }
  const running = run();
  return {
    async stop() {
      stopping.abort();
      await running;
    },
  };
}
