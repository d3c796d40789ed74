import type { Service } from "@nats-io/services";
import { messageOf } from "../errors.ts";

export interface EndpointFigures {
  /** One request was answered after `nanoseconds`; `error` when with an error. */
  count(nanoseconds: number, error: unknown): void;
}

/** The part of the client's statistics object that `$SRV.STATS` is made from. */
interface Statistics {
  num_requests: number;
  num_errors: number;
  last_error: string | undefined;
  processing_time: number;
  average_processing_time: number;
  countLatency(startedAt: number): void;
}

/**
 * Makes `$SRV.STATS` tell the truth for an endpoint whose work outlives its synchronous handler:
 * @nats-io/services 3.0.0-25 stops its clock when the handler returns, in whole milliseconds, and
 * counts no error reply. It has no public way to correct that, so this reaches into it; the version
 * is pinned, and a test asks a running service for its figures. Times are whole nanoseconds (ADR-32).
 */
export function figuresOf(service: Service, endpoint: string): EndpointFigures {
  const { handlers } = service as unknown as { handlers: { name: string; stats: Statistics }[] };
  const stats = handlers.find(({ name }) => name === endpoint)?.stats;
  if (stats === undefined) throw new Error(`no statistics for endpoint ${endpoint}`);
  stats.countLatency = () => undefined;
  // Required by ADR-32, and empty as long as there was none; the library leaves it out.
  stats.last_error = "";
  return {
    count(nanoseconds, error) {
      stats.num_requests++;
      stats.processing_time += Math.round(nanoseconds);
      stats.average_processing_time = Math.floor(stats.processing_time / stats.num_requests);
      if (error === undefined) return;
      stats.num_errors++;
      stats.last_error = messageOf(error);
    },
  };
}
