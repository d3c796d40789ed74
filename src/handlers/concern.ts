import type { Consumption } from "../runtime/consumer.ts";
import type { Endpoint } from "../runtime/endpoint.ts";

/** One concern of the service: what it answers, and what it consumes. Declared in `handlers/`. */
export interface Concern {
  // biome-ignore lint/suspicious/noExplicitAny: each endpoint has its own request and reply
  readonly endpoints: readonly Endpoint<any, any>[];
  // biome-ignore lint/suspicious/noExplicitAny: each durable has its own items
  readonly consumptions?: readonly Consumption<any>[];
}
