import type { JetStreamManager } from "@nats-io/jetstream";
import { orNull } from "../../nats/errors.ts";
import type { Positions } from "../../postgres/positions.ts";
import { positionName, windows } from "../../subjects.ts";
import type { ExtractorSettings } from "../extractor/settings.ts";

export interface Acked {
  /** Everything up to this sequence is acked by all who learn: its lessons and sightings are stored. */
  readonly sequence: number;
  /** What the stream held at that time. */
  readonly firstSequence: number;
  readonly lastSequence: number;
  /** When its first message was stored, epoch ms; of an empty stream when its last one was, or it was made. */
  readonly firstStoredAt: number;
  /** When the stream was made, epoch ms. */
  readonly createdAt: number;
  /** Somebody learns lessons of fleets and of slow failures, or has. */
  readonly hasWide: boolean;
}

/** Rejects as JetStream and the database do. */
export async function readAcked(
  jsm: JetStreamManager,
  positions: Pick<Positions, "read">,
  { stream, durable }: Pick<ExtractorSettings, "stream" | "durable">,
): Promise<Acked> {
  const { state, created } = await jsm.streams.info(stream);
  const { first_seq, last_seq, messages, first_ts, last_ts } = state;
  const createdAt = Date.parse(created);
  const narrow = await floorOf(jsm, stream, durable, last_seq);
  const wide = await floorOf(jsm, stream, windows.durable, last_seq);
  const position = await positions.read(positionName(windows.durable, stream, created));
  const hasWide = wide !== null || position > 0;
  // Its consumer is recreated at each start; the position says what is stored.
  const floors = [narrow ?? 0, ...(hasWide ? [Math.max(position, wide ?? 0)] : [])];
  return {
    sequence: Math.min(last_seq, ...floors),
    ...{ firstSequence: first_seq, lastSequence: last_seq, hasWide },
    firstStoredAt: messages > 0 ? Date.parse(first_ts) : Math.max(createdAt, Date.parse(last_ts)),
    createdAt,
  };
}

/** Null: there is no such durable. With nothing left to do, all that was there before is acked. */
async function floorOf(
  jsm: JetStreamManager,
  stream: string,
  durable: string,
  lastSequence: number,
): Promise<number | null> {
  const info = await orNull(() => jsm.consumers.info(stream, durable));
  if (info === null) return null;
  const isDone = info.num_pending + info.num_ack_pending === 0;
  return Math.max(info.ack_floor.stream_seq, isDone ? lastSequence : 0);
}
