import type { ConsumerConfig, JetStreamManager, StreamConfig } from "@nats-io/jetstream";
import type { DesiredState, NeededStream, WantedDurable } from "./desired-state.ts";
import type { Drift } from "./drift.ts";
import { nats } from "./errors.ts";
import { type Absent, inspect, nameOf, nameOfDurable, nameOfStream } from "./inspect.ts";
import { ensureDurable, ensureStream } from "./provision.ts";
import { includesSubject } from "./subject-pattern.ts";

/** One stream, bucket or durable that is not as wanted, and what is to be done about it. */
export interface Step {
  readonly what: string;
  readonly action: "create" | "update" | "by_hand";
  /** In which fields it differs; none where it is missing. */
  readonly drift: readonly Drift[];
  /** Why a person has to do it. */
  readonly reason?: string;
  /** Not there where a person has to do it. */
  readonly run?: () => Promise<void>;
}

/** JetStream refuses to change these, and nothing that exists is ever deleted here. */
const fixedOfStreams = new Set(["retention", "storage", "sealed"]);
const fixedOfDurables = new Set(["ack_policy", "deliver_policy", "deliver_subject", "mem_storage"]);

/**
 * What has to be done until JetStream is as the settings want it; nothing is done yet. Steps are to be run
 * in their order: streams come before their durables. A durable that exists is updated, never recreated.
 */
export async function plan(jsm: JetStreamManager, needed: DesiredState): Promise<Step[]> {
  const { absent, drift } = await inspect(jsm, needed);
  const streams = absent.filter((one) => "stream" in one);
  const durables = absent.filter((one) => "durable" in one);
  const differing = [...new Set(drift.map(({ what }) => what))];
  return [
    ...[...streams, ...durables].map((one) => creation(jsm, one)),
    ...differing.flatMap((what) =>
      changes(
        jsm,
        needed,
        what,
        drift.filter((one) => one.what === what),
      ),
    ),
  ];
}

function creation(jsm: JetStreamManager, absent: Absent): Step {
  return {
    what: nameOf(absent),
    action: "create",
    drift: [],
    async run() {
      if ("stream" in absent) await ensureStream(jsm, absent.stream, "apply");
      else await ensureDurable(jsm, absent.durable, "apply");
    },
  };
}

/** One update for what can be changed, and a step by hand for each field that cannot. */
function changes(
  jsm: JetStreamManager,
  { streams, durables }: DesiredState,
  what: string,
  drift: readonly Drift[],
): Step[] {
  const stream = streams.find((one) => nameOfStream(one.stream) === what);
  const durable = durables.find((one) => nameOfDurable(one) === what);
  const reasonOf = (one: Drift) =>
    stream === undefined ? obstacleOfDurable(one) : obstacleOfStream(stream, one);
  const byHand = drift.flatMap((one): Step[] => {
    const reason = reasonOf(one);
    return reason === null ? [] : [{ what, action: "by_hand", drift: [one], reason }];
  });
  const rest = drift.filter((one) => reasonOf(one) === null);
  if (rest.length === 0) return byHand;
  const fields = rest.map(({ field }) => field);
  const run = async () => {
    if (stream !== undefined) await updateStream(jsm, stream, fields);
    if (durable !== undefined) await updateDurable(jsm, durable, fields);
  };
  return [{ what, action: "update", drift: rest, run }, ...byHand];
}

/** Why a difference cannot be mended by an update; null where it can. */
function obstacleOfStream(
  { isSource, rooms }: NeededStream,
  { field, wanted, actual }: Drift,
): string | null {
  if (fixedOfStreams.has(field)) {
    return "JetStream cannot change it: delete it, with all that is in it, and provision again";
  }
  if (isSource && field in rooms) return "the limit is its owner's: nats stream update";
  if (field !== "max_age" || !isShorter(wanted, actual)) return null;
  // Replicas that run believe in what they wrote for as long as their settings say.
  return "evidence would expire under running replicas: stop them, delete the bucket (it is made again from the stream) and provision again";
}

function obstacleOfDurable({ field }: Drift): string | null {
  if (!fixedOfDurables.has(field)) return null;
  return "JetStream cannot change it: delete it and provision again";
}

/** Of times to live as `readable` shows them; 0 is none. */
function isShorter(wanted: unknown, actual: unknown): boolean {
  const [to, from] = [wanted, actual].map((text) => Number.parseFloat(String(text)));
  return to !== undefined && from !== undefined && (from === 0 || to < from);
}

/** Writers to the stream are not stopped; subjects of one stream must not overlap. */
function union(subjects: readonly string[], wanted: readonly string[]): string[] {
  const others = subjects.filter((one) => !wanted.some((wide) => includesSubject(wide, one)));
  return [...others, ...wanted];
}

async function updateStream(
  jsm: JetStreamManager,
  { stream: wanted, rooms }: NeededStream,
  fields: readonly string[],
): Promise<void> {
  await nats(async () => {
    const { config } = await jsm.streams.info(wanted.name);
    const changed = fields.map((field) => {
      const key = field as keyof StreamConfig;
      if (key === "subjects") return [key, union(config.subjects ?? [], wanted.subjects)];
      return [key, rooms[key]?.least ?? wanted[key]];
    });
    await jsm.streams.update(wanted.name, { ...config, ...Object.fromEntries(changed) });
  });
}

async function updateDurable(
  jsm: JetStreamManager,
  { stream, config: wanted, rooms }: WantedDurable,
  fields: readonly string[],
): Promise<void> {
  await nats(async () => {
    const { config } = await jsm.consumers.info(stream.name, wanted.durable_name);
    const changed = fields.map((field) => {
      const key = field as keyof ConsumerConfig;
      if (key === "metadata") return [key, { ...config.metadata, ...wanted.metadata }];
      return [key, rooms[key]?.least ?? wanted[key]];
    });
    await jsm.consumers.update(stream.name, wanted.durable_name, {
      ...Object.fromEntries(changed),
      // It may have one filter or several, and not both.
      ...(fields.includes("filter_subject") && { filter_subjects: undefined }),
    });
  });
}
