import { ask, BusClientError, type Connection } from "./ask.ts";
import { follow } from "./follow.ts";
import type {
  ClientError,
  ClientOptions,
  ExperienceEvent,
  Outcome,
  Published,
  Recalled,
  RecallRequest,
  RunEvent,
} from "./types.ts";

export { BusClientError } from "./ask.ts";
export * from "./types.ts";
export { withLessons } from "./with-lessons.ts";

export interface ExperienceBus {
  /** Stores events. Each without an `event_id` gets one, so that a second attempt counts none twice. */
  publish(events: ExperienceEvent | readonly ExperienceEvent[]): Promise<Published>;
  /** What to know before doing something; within 150 ms, or nothing. */
  recall(request: RecallRequest): Promise<Recalled>;
  /** How a run ended, where its events do not say. Hands back what went wrong. */
  outcome(outcome: Outcome): Promise<{ readonly error?: ClientError }>;
  /**
   * The events of a run after a cursor, to the one that ends it; reconnects by itself. Throws a `BusClientError` where
   * the service refuses. Ends when `signal` is aborted.
   */
  followRun(
    runId: string,
    options?: { readonly after?: number; readonly signal?: AbortSignal },
  ): AsyncGenerator<RunEvent, void, undefined>;
}

const noLessons: Recalled = {
  ...{ lessons: [], already: [], held_out: 0, omitted: [] },
  ...{ block: "", block_sha256: "", recorded: false },
};

/** A client of the HTTP API. It never stops an agent: what goes wrong is handed back as `error`, unless asked otherwise. */
export function createClient(options: ClientOptions): ExperienceBus {
  const { deadlineMs = {}, failOpen = true, tenantId } = options;
  const { recall: recallMs = 150, publish: publishMs = 5_000 } = deadlineMs;
  const connection: Connection = {
    url: options.url.replace(/\/+$/, ""),
    // Called as a function of nothing: browsers demand that.
    fetch: options.fetch ?? ((input, init) => fetch(input, init)),
    headers: {
      ...(options.token !== undefined && { Authorization: `Bearer ${options.token}` }),
      ...(tenantId !== undefined && { "X-Tenant-ID": tenantId }),
    },
  };
  const own = tenantId === undefined ? {} : { tenant_id: tenantId };

  async function open<T extends object>(
    work: () => Promise<T>,
    otherwise: T,
  ): Promise<T & { readonly error?: ClientError }> {
    try {
      return await work();
    } catch (thrown) {
      const error = BusClientError.of(thrown);
      options.onError?.(error.toJSON());
      if (!failOpen) throw error;
      return { ...otherwise, error: error.toJSON() };
    }
  }

  return {
    publish: (given) =>
      open(
        async () => {
          const list: readonly ExperienceEvent[] = Array.isArray(given) ? given : [given];
          const events = list.map((event) => ({
            ...own,
            ...event,
            event_id: event.event_id ?? crypto.randomUUID(),
          }));
          const once = () => ask<Published>(connection, "extractor", events, publishMs);
          try {
            return await once();
          } catch (error) {
            if (!BusClientError.of(error).isPassing) throw error;
            return await once();
          }
        },
        { stored: 0, duplicates: 0, invalid: [] },
      ),
    recall: (request) =>
      open(
        () => ask<Recalled>(connection, "lessons/recall", { ...own, ...request }, recallMs),
        noLessons,
      ),
    outcome: (outcome) =>
      open(() => ask<object>(connection, "lessons/outcome", { ...own, ...outcome }, publishMs), {}),
    followRun: (runId, from = {}) => follow(connection, runId, from),
  };
}
