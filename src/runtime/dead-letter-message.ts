import type { JsMsg } from "@nats-io/jetstream";
import { headers, type MsgHdrs } from "@nats-io/transport-node";
import type { DeadLetter } from "./dead-letter.ts";
import { eventIdHeader } from "./delivery.ts";

/** Headers of a dead letter; the payload is the original one. */
export const deadLetterHeaders = {
  /** Why, in words. */
  reason: "Dead-Letter-Reason",
  /** Why, as a code: an error code, or `crash_loop`. */
  code: "Dead-Letter-Code",
  subject: "Dead-Letter-Subject",
  stream: "Dead-Letter-Stream",
  durable: "Dead-Letter-Durable",
  sequence: "Dead-Letter-Sequence",
  /** Started attempts that failed by the message's own fault. */
  attempts: "Dead-Letter-Attempts",
  /** How often JetStream delivered it, outages included. */
  deliveries: "Dead-Letter-Deliveries",
  /** ISO 8601: when the source stream stored the message, and when it was given up. */
  storedAt: "Dead-Letter-Stored-At",
  at: "Dead-Letter-At",
  /** The original Nats-Msg-Id; the dead letter has its own. */
  messageId: "Dead-Letter-Msg-Id",
  /** Who the event is, if it brings no `event_id` itself. */
  eventId: eventIdHeader,
  /** How often the message had been replayed when it was given up. */
  replays: "Dead-Letter-Replays",
  /** ISO 8601; present once the dead letter has been replayed. */
  replayedAt: "Dead-Letter-Replayed-At",
  /** Present when the payload did not fit with these headers and only its beginning is kept. */
  payloadBytes: "Dead-Letter-Payload-Bytes",
  payloadSha256: "Dead-Letter-Payload-Sha256",
} as const;

/** A dead letter as it is kept in `DEAD_LETTERS`. */
export interface KeptLetter {
  readonly letter: DeadLetter;
  /** Where it is now: another one than its id once it is marked replayed. */
  readonly sequence: number;
  readonly payload: Uint8Array;
  readonly headers: MsgHdrs | undefined;
}

/** Whether a header is the original message's own: neither JetStream's nor one that a dead letter adds. */
export function isOriginal(name: string): boolean {
  return !/^(Nats|Dead-Letter)-/i.test(name);
}

/** How often a message has been replayed by now. */
export function replaysOf(of: MsgHdrs | undefined): number {
  return amount(of?.get(deadLetterHeaders.replays));
}

/** What its headers say. Anyone who may publish to `dead.>` can have written them, so all of it is checked. */
export function letterOf(
  message: Pick<JsMsg, "seq" | "subject" | "data" | "time">,
  all: MsgHdrs | undefined,
): KeptLetter {
  const text = (name: string) => all?.get(name) ?? "";
  const time = (name: string) =>
    Number.isNaN(Date.parse(text(name))) ? null : Date.parse(text(name));
  const [, stream = "", durable = "", , id = String(message.seq)] = message.subject.split(".");
  const names = deadLetterHeaders;
  const letter = {
    ...{ id, stream, durable },
    subject: text(names.subject),
    sequence: amount(text(names.sequence)),
    reason: text(names.reason),
    code: text(names.code),
    attempts: amount(text(names.attempts)),
    deliveries: amount(text(names.deliveries)),
    storedAt: time(names.storedAt),
    at: time(names.at) ?? message.time.getTime(),
    replays: replaysOf(all),
    replayedAt: isMarked(message.subject)
      ? (time(names.replayedAt) ?? message.time.getTime())
      : null,
    bytes: amount(text(names.payloadBytes)) || message.data.length,
    isCut: text(names.payloadBytes) !== "",
  };
  return { letter, sequence: message.seq, payload: message.data, headers: all };
}

/** `dead.<stream>.<durable>.replayed.<id>` */
function isMarked(subject: string): boolean {
  return subject.split(".").length > 3;
}

/** Of the message published again: its own headers, a new id for the stream, and who the event is. */
export function replayHeaders({ letter, headers: kept, sequence }: KeptLetter): MsgHdrs {
  const result = headers();
  for (const [name, values] of kept ?? []) {
    if (isOriginal(name)) for (const value of values) result.append(name, value);
  }
  result.set("Nats-Msg-Id", `replay:${kept?.get("Nats-Msg-Id") || sequence}`);
  const eventId = kept?.get(deadLetterHeaders.eventId);
  if (eventId) result.set(deadLetterHeaders.eventId, eventId);
  result.set(deadLetterHeaders.replays, String(letter.replays + 1));
  return result;
}

/** Of a letter that is marked: all it had, and when it was replayed. */
export function markedHeaders({ headers: kept, sequence }: KeptLetter, at: Date): MsgHdrs {
  const result = headers();
  for (const [name, values] of kept ?? []) {
    if (!name.startsWith("Nats-")) for (const value of values) result.append(name, value);
  }
  result.set("Nats-Msg-Id", `replayed:${kept?.get("Nats-Msg-Id") || sequence}`);
  result.set(deadLetterHeaders.replayedAt, at.toISOString());
  return result;
}

function amount(text: string | undefined): number {
  const value = Number(text);
  return Number.isSafeInteger(value) && value >= 0 ? value : 0;
}
