import { hash } from "node:crypto";
import type { JetStreamClient } from "@nats-io/jetstream";
import { headers, type MsgHdrs, type NatsConnection } from "@nats-io/transport-node";
import { BusError, isRefusal } from "../errors.ts";
import { nats } from "../nats/errors.ts";
import { deadLetterSubject, deadLettersStream } from "../subjects.ts";
import { deadLetterHeaders, isOriginal, replaysOf } from "./dead-letter-message.ts";
import { type Delivery, defaultEventIdOf } from "./delivery.ts";

/** How much of a payload is kept when all of it does not fit. */
const keptBytes = 4 * 1024;
/** A letter that is replayed is written once more, with a mark. */
const roomForMark = 256;
/** What the longest header value may have; a reason is a sentence and needs far less. */
const longestValue = 1_024;

/** Why a message is given up. */
export interface DeadLetterCause {
  readonly reason: string;
  readonly code: string;
  readonly attempts: number;
}

export interface DeadLetterWriter {
  /**
   * Resolves once JetStream has stored the dead letter; the caller then terminates the message.
   * Writing it again is harmless: `Nats-Msg-Id` is stream, its creation time, durable and sequence.
   */
  write(delivery: Delivery, cause: DeadLetterCause): Promise<void>;
}

export function openDeadLetterWriter(nc: NatsConnection, js: JetStreamClient): DeadLetterWriter {
  return {
    async write(delivery, cause) {
      const { stream, durable } = delivery;
      const { headers, payload } = contentOf(delivery, cause, nc.info?.max_payload ?? 1024 * 1024);
      try {
        await nats(() => js.publish(deadLetterSubject(stream, durable), payload, { headers }));
      } catch (error) {
        if (!isRefusal(error)) throw error;
        // A limit of the stream, which an operator has to raise; until then the message must wait.
        const text = `${deadLettersStream} takes no dead letter: ${error.message}`;
        throw new BusError("unavailable", text, { cause: error });
      }
    },
  };
}

function contentOf(delivery: Delivery, cause: DeadLetterCause, maxPayload: number) {
  const { data } = delivery;
  const whole = letterHeaders(delivery, cause);
  for (const [key, values] of delivery.headers ?? []) {
    if (isOriginal(key)) for (const value of values) whole.append(key, value);
  }
  if (sizeOf(whole) + data.length + roomForMark <= maxPayload) {
    return { headers: whole, payload: data };
  }
  const cut = letterHeaders(delivery, cause);
  cut.set(deadLetterHeaders.payloadBytes, String(data.length));
  cut.set(deadLetterHeaders.payloadSha256, hash("sha256", data, "hex"));
  const room = Math.max(0, maxPayload - sizeOf(cut));
  return { headers: cut, payload: data.subarray(0, Math.min(keptBytes, room)) };
}

function letterHeaders(delivery: Delivery, cause: DeadLetterCause): MsgHdrs {
  const { stream, streamCreated, durable, sequence } = delivery;
  const messageId = delivery.headers?.get("Nats-Msg-Id");
  const result = headers();
  const values: Record<string, string> = {
    "Nats-Msg-Id": `${stream}:${streamCreated}:${durable}:${sequence}`,
    [deadLetterHeaders.reason]: cause.reason,
    [deadLetterHeaders.code]: cause.code,
    [deadLetterHeaders.subject]: delivery.subject,
    [deadLetterHeaders.stream]: stream,
    [deadLetterHeaders.durable]: durable,
    [deadLetterHeaders.sequence]: String(sequence),
    [deadLetterHeaders.attempts]: String(cause.attempts),
    [deadLetterHeaders.deliveries]: String(delivery.deliveries),
    [deadLetterHeaders.storedAt]: new Date(delivery.storedAt).toISOString(),
    [deadLetterHeaders.at]: new Date().toISOString(),
    ...(messageId ? { [deadLetterHeaders.messageId]: messageId } : {}),
    [deadLetterHeaders.eventId]: defaultEventIdOf(delivery),
    [deadLetterHeaders.replays]: String(replaysOf(delivery.headers)),
  };
  for (const [key, value] of Object.entries(values)) result.set(key, headerText(value));
  return result;
}

/** A header value has no line breaks; other control characters would only confuse a terminal. */
function headerText(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must go
  return text.replaceAll(/[\u0000-\u001f\u007f]+/g, " ").slice(0, longestValue);
}

/** Bytes on the wire: status line, then `key: value` lines, then an empty one (ADR-4). */
function sizeOf(all: MsgHdrs): number {
  let size = "NATS/1.0\r\n\r\n".length;
  for (const [key, values] of all) {
    for (const value of values) size += Buffer.byteLength(key) + Buffer.byteLength(value) + 4;
  }
  return size;
}
