import { Match, type MsgHdrs } from "@nats-io/transport-node";
import {
  type Context,
  type Link,
  ROOT_CONTEXT,
  type Span,
  SpanStatusCode,
  TraceFlags,
  trace,
} from "@opentelemetry/api";
import { BusError } from "../errors.ts";
import type { Tracing } from "./tracing.ts";

/** Null without a valid `traceparent`. */
export function contextIn({ propagator }: Tracing, from: MsgHdrs | undefined): Context | null {
  if (from === undefined) return null;
  const context = propagator.extract(ROOT_CONTEXT, from, {
    keys: (all) => all.keys(),
    // Clients that write headers as HTTP does begin them with a capital letter.
    get: (all, name) => all.get(name, Match.IgnoreCase),
  });
  return trace.getSpan(context) === undefined ? null : context;
}

/** A link to a span that is not exported would lead nowhere. */
export function sampledLink(span: Span | undefined): Link[] {
  const context = span?.spanContext();
  return context && context.traceFlags & TraceFlags.SAMPLED ? [{ context }] : [];
}

/** Ends the span with the work. */
export async function within<R>(span: Span, work: () => Promise<R>): Promise<R> {
  try {
    return await work();
  } catch (error) {
    fail(span, errorType(error));
    throw error;
  } finally {
    span.end();
  }
}

export function fail(span: Span, code: string): void {
  span.setAttribute("error.type", code);
  span.setStatus({ code: SpanStatusCode.ERROR, message: code });
}

/** As the conventions have `error.type`: a code of ours, or the name of the error's class. */
export function errorType(error: unknown): string {
  if (error instanceof BusError) return error.code;
  return error instanceof Error ? error.constructor.name : "_OTHER";
}
