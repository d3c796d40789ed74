import {
  type ConsumerConfig,
  type JetStreamManager,
  RetentionPolicy,
  type StreamConfig,
} from "@nats-io/jetstream";
import type { DesiredState, NeededStream, WantedDurable, WantedStream } from "./desired-state.ts";
import { compare, type Drift, limitDrift, subjectsDrift } from "./drift.ts";
import { orNull } from "./errors.ts";
import { includesSubject } from "./subject-pattern.ts";

/** Something that is not there. */
export type Absent = ({ readonly stream: WantedStream } | { readonly durable: WantedDurable }) & {
  readonly optional: boolean;
};

export function nameOf(absent: Absent): string {
  return "durable" in absent ? nameOfDurable(absent.durable) : nameOfStream(absent.stream);
}

export function nameOfStream({ name }: Pick<WantedStream, "name">): string {
  return `stream ${name}`;
}

export function nameOfDurable({ stream, config }: WantedDurable): string {
  return `consumer ${stream.name}/${config.durable_name}`;
}

export interface Inspection {
  readonly absent: readonly Absent[];
  readonly drift: readonly Drift[];
}

/** What JetStream lacks of what is needed, and in what it differs. Changes nothing. */
export async function inspect(
  jsm: JetStreamManager,
  { streams, durables }: DesiredState,
): Promise<Inspection> {
  const absent: Absent[] = [];
  const ofStreams = streams.map(async (needed) => {
    const { stream, optional } = needed;
    const info = await orNull(() => jsm.streams.info(stream.name));
    if (info === null) absent.push({ stream, optional });
    return info === null ? [] : streamDrift(needed, info.config);
  });
  // One that is read in order is made by its reader.
  const ofDurables = durables
    .filter(({ inOrder }) => !inOrder)
    .map(async (durable) => {
      const { stream, optional, config } = durable;
      const info = await orNull(() => jsm.consumers.info(stream.name, config.durable_name));
      if (info === null) absent.push({ durable, optional });
      return info === null ? [] : durableDrift(durable, info.config);
    });
  const drift = (await Promise.all([...ofStreams, ...ofDurables])).flat();
  return { absent, drift };
}

function streamDrift(
  { stream, compared, rooms, isSource, added }: NeededStream,
  actual: StreamConfig,
): Drift[] {
  const { subjects, retention, ...plain } = compared;
  const isQueue = actual.retention === RetentionPolicy.Workqueue;
  const fields = {
    ...(retention !== undefined && { retention: retention && isQueue }),
    ...plain,
  };
  const isFilledOtherwise = actual.mirror ?? actual.subject_transform ?? actual.sources?.[0];
  const tells = subjects !== undefined && !(isSource && isFilledOtherwise);
  return [
    ...(tells ? subjectsDrift(stream, actual, { breaks: subjects, added }) : []),
    ...compare<StreamConfig>(nameOfStream(stream), stream, actual, fields),
    ...limitDrift(nameOfStream(stream), rooms, actual),
  ];
}

/** With all of its filters where it has several. */
type Filtered = Omit<ConsumerConfig, "filter_subject"> & {
  readonly filter_subject?: string | string[] | undefined;
};

function durableDrift(durable: WantedDurable, config: ConsumerConfig): Drift[] {
  const { config: wanted, rooms } = durable;
  // No filter, or a wider one, brings our events, too.
  const filters = config.filter_subjects ?? [config.filter_subject || ">"];
  const isWideEnough = filters.some((filter) => includesSubject(filter, wanted.filter_subject));
  const actual = isWideEnough ? wanted.filter_subject : (config.filter_subjects ?? filters[0]);
  const breaking = {
    ack_policy: true,
    max_deliver: true,
    filter_subject: true,
    deliver_subject: true,
    headers_only: true,
  };
  const all = {
    ...breaking,
    ...{ ack_wait: false, deliver_policy: false, inactive_threshold: false, mem_storage: false },
  };
  const what = nameOfDurable(durable);
  return [
    ...compare<Filtered>(what, wanted, { ...config, filter_subject: actual }, all),
    ...limitDrift(what, rooms, config),
    ...monitorDrift(durable, config),
  ];
}

/** Operators may have thresholds of their own; without any there are no alarms. */
function monitorDrift(durable: WantedDurable, { metadata: actual = {} }: ConsumerConfig): Drift[] {
  const { metadata: wanted = {} } = durable.config;
  if (Object.keys(wanted).some((key) => key in actual)) return [];
  return [{ what: nameOfDurable(durable), field: "metadata", wanted, actual, breaks: false }];
}
