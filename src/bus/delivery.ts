import type { JsMsg } from "@nats-io/jetstream";

/** One delivered message, and what the message itself does not say about its stream. */
export interface Delivery {
  readonly message: JsMsg;
  /** When its stream was created, as the server writes it: a recreated stream counts from 1 again. */
  readonly streamCreated: string;
}

/** Identity of a message that brings none: unique over streams that were deleted and made anew. */
export function identityOf({ message, streamCreated }: Delivery): string {
  return `${streamCreated}:${message.info.streamSequence}`;
}
