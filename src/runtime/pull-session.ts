import type { PublishSmall } from "../nats/small-messages.ts";
import type { DeliverySource } from "./delivery.ts";
import type { OpenedDurable } from "./pull.ts";
import type { PullState, Requests } from "./pull-state.ts";

/** One opening of the durable, until it is lost. */
export interface Session {
  /** Where messages are asked for. */
  readonly subject: string;
  readonly source: DeliverySource;
  readonly requests: Requests;
  /** Aborts when it is lost: one right to read may last for many openings. */
  readonly left: AbortController;
}

export function sessionOf(answer: PublishSmall, opened: OpenedDurable): Session {
  const { stream, durable, streamCreated, apiPrefix = "$JS.API", suspects = 0, reading } = opened;
  return {
    subject: `${apiPrefix}.CONSUMER.MSG.NEXT.${stream}.${durable}`,
    source: {
      answer,
      stream,
      durable,
      streamCreated,
      suspects,
      names: `.${stream}.${durable}.`,
      reading,
    },
    requests: { askedFor: 0, heardAt: 0, expected: opened.inOrder ? 1 : null },
    left: new AbortController(),
  };
}

/** So many messages have come, or will not come any more. */
export function answered(requests: Requests, messages: number): void {
  requests.askedFor = Math.max(0, requests.askedFor - messages);
}

/** Whether a delivery of a consumer whose order counts is the one expected; then the one behind it is expected next. */
export function inTurn(requests: Requests, consumerSequence: number): boolean {
  if (consumerSequence !== requests.expected) return false;
  requests.expected += 1;
  return true;
}

/** Whether nothing has been heard of an open request for longer than `silenceMs`. */
export function isSilent(state: PullState, now: number, silenceMs: number): boolean {
  if (state.kind !== "open" && state.kind !== "draining") return false;
  const { askedFor, heardAt } = state.requests;
  return askedFor > 0 && now - heardAt > silenceMs;
}
