import type { Msg, MsgHdrs } from "@nats-io/transport-node";
import { fieldOf } from "../nats/reply.ts";
import type { PublishSmall } from "../nats/small-messages.ts";

/** Where the names begin in a reply subject of a server without a domain: after `$JS.ACK`. */
const usualStart = 7;
const nothing = new Uint8Array();

/** What all deliveries of one durable share. */
export interface DeliverySource {
  readonly answer: PublishSmall;
  readonly stream: string;
  readonly durable: string;
  /** `.<stream>.<durable>.`, as it stands in every reply subject. */
  readonly names: string;
  /** When the stream was created, as the server writes it: a recreated stream counts from 1 again. */
  readonly streamCreated: string;
  /** So many of its first deliveries are suspected of killing the process. */
  readonly suspects: number;
  readonly reading?: Reading | undefined;
}

/** One reading of a stream in order: every message after a sequence, none left out, until the next reading begins. */
export interface Reading {
  /** Where it began: up to there everything had been stored. */
  readonly from: number;
}

/** What decoding a message of a stream may look at. */
export interface StoredMessage {
  readonly subject: string;
  readonly data: Uint8Array;
  readonly headers: MsgHdrs | undefined;
  /** Unique, also over streams that were deleted and recreated. */
  readonly identity: string;
  /** When the stream stored it, epoch ms. */
  readonly storedAt: number;
  /** Of a durable that is read in order: the same object for all messages of one reading. */
  readonly reading?: Reading | undefined;
}

/**
 * The client parses headers when they are asked for, and throws where another client has written a
 * name with a space or a bare line feed. No message may end a replica, so such headers count as none.
 */
export function headersOf(message: {
  readonly headers?: MsgHdrs | undefined;
}): MsgHdrs | undefined {
  try {
    return message.headers;
  } catch {
    return undefined;
  }
}

/**
 * Carried by a replayed message: the id of an event that brings none itself. Its `Nats-Msg-Id` is a new
 * one, since the stream would take the replay for a duplicate, and so is its sequence.
 */
export const eventIdHeader = "Dead-Letter-Event-Id";

/** Who the event of a message is, where the event itself does not say. */
export function defaultEventIdOf({ headers, identity }: StoredMessage): string {
  return headers?.get(eventIdHeader) || headers?.get("Nats-Msg-Id") || identity;
}

/** The identity of a message, for one that brings none, and for what is kept about it. */
export function identityOf(streamCreated: string, sequence: number): string {
  return `${streamCreated}:${sequence}`;
}

/**
 * One delivered JetStream message and its acknowledgement. What the reply subject says is read only where it is needed (see
 * `fieldOf`): there are hundreds of these in each batch.
 */
export class Delivery implements StoredMessage {
  #message: Msg | undefined;
  readonly #source: DeliverySource;
  readonly #reply: string;
  #settled = false;

  constructor(message: Msg, source: DeliverySource) {
    this.#message = message;
    this.#source = source;
    this.#reply = message.reply ?? "";
  }

  get subject(): string {
    return this.#message?.subject ?? "";
  }
  get data(): Uint8Array {
    return this.#message?.data ?? nothing;
  }
  get headers(): MsgHdrs | undefined {
    return this.#message && headersOf(this.#message);
  }
  get stream(): string {
    return this.#source.stream;
  }
  get durable(): string {
    return this.#source.durable;
  }
  /** How often JetStream has delivered it by now; 1 the first time. */
  get deliveries(): number {
    return this.#field("deliveries");
  }
  get sequence(): number {
    return this.#field("sequence");
  }
  /** How many deliveries its consumer had made by then, this one included. */
  get consumerSequence(): number {
    return this.#field("consumerSequence");
  }
  get isSuspect(): boolean {
    return this.#source.suspects > 0 && this.consumerSequence <= this.#source.suspects;
  }
  get storedAt(): number {
    return this.#field("time");
  }
  get identity(): string {
    return identityOf(this.#source.streamCreated, this.sequence);
  }
  get streamCreated(): string {
    return this.#source.streamCreated;
  }
  get reading(): Reading | undefined {
    return this.#source.reading;
  }

  /** Lets go of the content, of which nothing more is needed than its acknowledgement. */
  release(): void {
    this.#message = undefined;
  }

  ack(): void {
    this.#settle("+ACK");
  }
  /** Back to the stream, to be delivered again after `delayMs`; never at once. `code`: why, if refused. */
  nak(delayMs: number, _code?: string): void {
    this.#settle(`-NAK {"delay":${Math.ceil(delayMs) * 1_000_000}}`);
  }
  /** Never to be delivered again. Servers before 2.10.4 ignore the reason, one of our codes. */
  term(reason: string): void {
    this.#settle(`+TERM ${reason}`);
  }
  /** Restarts ack_wait. */
  working(): void {
    if (!this.#settled) this.#source.answer(this.#reply, "+WPI");
  }

  #settle(answer: string): void {
    if (this.#settled) return;
    this.#settled = true;
    this.#source.answer(this.#reply, answer);
  }

  #field(name: Parameters<typeof fieldOf>[2]): number {
    const { names } = this.#source;
    const reply = this.#reply;
    const at = reply.startsWith(names, usualStart) ? usualStart : reply.indexOf(names);
    return fieldOf(reply, at + names.length, name);
  }
}
