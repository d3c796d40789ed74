import type { StreamConfig } from "@nats-io/jetstream";
import { maxEntries } from "../handlers/extractor/evidence.ts";
import type { ConcernName } from "../settings/index.ts";
import type { Wanted, WantedDurable, WantedStream } from "./desired-state.ts";
import type { Room, Rooms } from "./drift.ts";

/** As `schema/experience-event` has it. */
const largestEventBytes = 256 * 1_024;
/** Of a signature with as many events as one can have, their ids as long as they may be; and of a lesson's few. */
const evidenceRoom: Room = { least: maxEntries * 160, breaksBelow: 4_096 };

/** In which fields what exists is compared with what is wanted; true where a guarantee would break. */
export type Compared = Partial<Record<keyof StreamConfig, boolean>>;

export interface NeededStream {
  readonly stream: WantedStream;
  /** The service does the rest while it is missing. */
  readonly optional: boolean;
  readonly compared: Compared;
  readonly rooms: Rooms<StreamConfig>;
  /** Others write to it, and say how much it keeps. */
  readonly isSource: boolean;
}

/** What a replica with certain concerns stands on. */
export interface Needed {
  readonly streams: readonly NeededStream[];
  readonly durables: readonly WantedDurable[];
}

export function neededFor(wanted: Wanted, concerns: readonly ConcernName[]): Needed {
  const { durables } = wanted;
  const needs = (
    stream: WantedStream,
    compared: Compared,
    rooms: Rooms<StreamConfig> = {},
  ): NeededStream => ({ stream, compared, rooms, optional: false, isSource: false });
  const reads = (stream: WantedStream, optional: boolean, differing: Compared = {}) => ({
    // Whoever owns a source may list its subjects in another way: worth a warning only.
    ...needs(stream, { subjects: false, retention: false, sealed: false, ...differing }),
    ...{ optional, isSource: true },
  });
  const output = (stream: WantedStream) => {
    const compared = { subjects: true, sealed: true, num_replicas: false, storage: false };
    return needs(stream, compared, {
      duplicate_window: { least: stream.duplicate_window ?? 0, breaksBelow: 0 },
    });
  };
  const attempts = { sealed: true, max_age: false, num_replicas: false };
  // Another time to live, and evidence would expire before its window ends.
  const evidence = { max_age: true, sealed: true, num_replicas: false, storage: false };
  const of: Record<ConcernName, Needed> = {
    extractor: {
      streams: [
        {
          // A work queue forgets what is acked: evidence could not be read again.
          ...reads(wanted.experience, false, { retention: true }),
          rooms: {
            max_msg_size: { least: largestEventBytes, breaksBelow: 0 },
            max_age: { least: wanted.windowNanos, breaksBelow: 0 },
          },
        },
        output(wanted.lessons),
        needs(wanted.evidence, evidence, { max_msg_size: evidenceRoom, max_bytes: evidenceRoom }),
        needs(wanted.attempts, attempts),
      ],
      durables: [durables.experience],
    },
    features: {
      streams: [
        reads(wanted.signals, true),
        reads(wanted.feedback, true),
        needs(wanted.featureAttempts, { ...attempts, sealed: false }),
      ],
      durables: [durables.signals, durables.feedback],
    },
    runs: {
      streams: [
        reads(wanted.runs, true),
        needs(wanted.runAttempts, { ...attempts, sealed: false }),
      ],
      durables: [durables.runs],
    },
    deadletters: { streams: [], durables: [] },
  };
  const hosted = concerns.map((name) => of[name]);
  return {
    streams: [output(wanted.deadLetters), ...hosted.flatMap(({ streams }) => streams)],
    durables: hosted.flatMap((one) => one.durables),
  };
}
