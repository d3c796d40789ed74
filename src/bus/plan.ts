import type { ConsumerConfig, JetStreamManager, StreamConfig } from "@nats-io/jetstream";
import { includesSubject } from "../core/subject-pattern.ts";
import type { Drift } from "./drift.ts";
import { nats } from "./errors.ts";
import { type Absent, inspect, nameOf, nameOfDurable, nameOfStream } from "./inspect.ts";
import { ensureDurable, ensureStream } from "./provision.ts";
import type { Needed, WantedDurable, WantedStream } from "./wanted.ts";

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
const fixedFields = new Set(["retention", "ack_policy", "deliver_policy", "deliver_subject"]);

/**
 * What has to be done until JetStream is as the settings want it; nothing is done yet. Steps are to be run
 * in their order: streams come before their durables. A durable that exists is updated, never made anew.
 */
export async function plan(jsm: JetStreamManager, needed: Needed): Promise<Step[]> {
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
  { streams, durables }: Needed,
  what: string,
  drift: readonly Drift[],
): Step[] {
  const byHand = drift.flatMap((one): Step[] => {
    const reason = obstacle(one);
    return reason === null ? [] : [{ what, action: "by_hand", drift: [one], reason }];
  });
  const rest = drift.filter((one) => obstacle(one) === null);
  if (rest.length === 0) return byHand;
  const stream = streams.find((one) => nameOfStream(one.stream) === what)?.stream;
  const durable = durables.find((one) => nameOfDurable(one) === what);
  const fields = rest.map(({ field }) => field);
  const run = async () => {
    if (stream !== undefined) await updateStream(jsm, stream, fields);
    if (durable !== undefined) await updateDurable(jsm, durable, fields);
  };
  return [{ what, action: "update", drift: rest, run }, ...byHand];
}

/** Why a difference cannot be mended by an update; null where it can. */
function obstacle({ field, wanted, actual }: Drift): string | null {
  if (fixedFields.has(field)) return "JetStream cannot change it: delete it and provision again";
  if (field !== "max_age" || !isShorter(wanted, actual)) return null;
  // Replicas that run believe in what they wrote for as long as their settings say.
  return "evidence would expire under running replicas: stop them, delete the bucket (it is made again from the stream) and provision again";
}

/** Of times to live as `readable` shows them; 0 is none. */
function isShorter(wanted: unknown, actual: unknown): boolean {
  const [to, from] = [wanted, actual].map((text) => Number.parseFloat(String(text)));
  return to !== undefined && from !== undefined && (from === 0 || to < from);
}

/** Whoever writes to the stream goes on to; subjects of one stream must not overlap. */
function union(subjects: readonly string[], wanted: readonly string[]): string[] {
  const others = subjects.filter((one) => !wanted.some((wide) => includesSubject(wide, one)));
  return [...others, ...wanted];
}

async function updateStream(
  jsm: JetStreamManager,
  wanted: WantedStream,
  fields: readonly string[],
): Promise<void> {
  await nats(async () => {
    const { config } = await jsm.streams.info(wanted.name);
    const changed = fields.map((field) => {
      const key = field as keyof StreamConfig;
      const value = key === "subjects" ? union(config.subjects, wanted.subjects) : wanted[key];
      return [key, value];
    });
    await jsm.streams.update(wanted.name, { ...config, ...Object.fromEntries(changed) });
  });
}

async function updateDurable(
  jsm: JetStreamManager,
  { stream, config: wanted }: WantedDurable,
  fields: readonly string[],
): Promise<void> {
  await nats(async () => {
    const { config } = await jsm.consumers.info(stream.name, wanted.durable_name);
    const changed = fields.map((field) => {
      const key = field as keyof ConsumerConfig;
      const value = key === "metadata" ? { ...config.metadata, ...wanted.metadata } : wanted[key];
      return [key, value];
    });
    await jsm.consumers.update(stream.name, wanted.durable_name, Object.fromEntries(changed));
  });
}
