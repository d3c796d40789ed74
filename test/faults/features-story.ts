import type { Broker } from "../rig/broker.ts";
import type { TestDatabase } from "../rig/database.ts";
import { eventually } from "../rig/eventually.ts";
import { storedMessages } from "./comparison.ts";
import { type Failpoint, type FailpointOptions, setFailpoint } from "./failpoint.ts";
import { compareFeatures, type FeatureComparison, featureSources } from "./features-comparison.ts";
import { type FeatureTraffic, featureTraffic } from "./features-traffic.ts";
import { type Publication, publishAll } from "./publications.ts";
import { openStack, type Stack, type StackOptions, untilQuiet } from "./stack.ts";

export interface FeatureStory {
  readonly name: string;
  readonly seed: number;
  readonly main: string;
  readonly traffic?: FeatureTraffic;
  readonly failpoint?: FailpointOptions;
  /** Called once for each number, when so many events are applied and more are in flight. */
  readonly faults?: {
    readonly at: readonly number[];
    readonly inject: (stack: Stack) => Promise<void>;
  };
  readonly env?: Readonly<Record<string, string>>;
  /** A database on a server of the caller's own. */
  readonly openDatabase?: () => Promise<TestDatabase>;
}

export interface FeatureOutcome extends FeatureComparison {
  /** From when the last fault was over until everything published was accounted for. */
  readonly recoveryMs: number;
  /** For a person: figures and differences. */
  readonly report: string;
}

const quietLimitMs = 45_000;
const someTraffic: FeatureTraffic = { messages: 600, users: 60 };

/** Three replicas, two streams, one fault; then every row is held against the fold of its events. */
export async function runFeatureStory(story: FeatureStory): Promise<FeatureOutcome> {
  const startedAt = performance.now();
  const publications = featureTraffic(story.seed, story.traffic ?? someTraffic);
  const failpoint = story.failpoint && setFailpoint(story.failpoint);
  const { main, env, openDatabase } = story;
  const stack = await openFeatureStack({
    ...{ main, size: 3 },
    ...(env && { env }),
    ...(openDatabase && { openDatabase }),
    ...(failpoint && { failpoint }),
  });
  try {
    const played = await play(stack, story, publications);
    const comparison = await compareFeatures(stack.broker, stack.database);
    const lost = await unstored(stack.broker, publications);
    const problems = [
      ...played.problems,
      ...lost.map((text) => `not in its stream: ${text}`),
      ...stack.supervisor.accidents.map((accident) => `a replica ended by itself: ${accident}`),
      ...missed(failpoint, story),
    ];
    const seconds = (performance.now() - startedAt) / 1_000;
    return outcomeOf(story, { ...comparison, ...played, seconds }, problems, stack);
  } finally {
    await stack.close();
  }
}

/** With the streams there from the start, as other systems would have made them. */
export function openFeatureStack(options: StackOptions): Promise<Stack> {
  const streams = [
    { name: "SIGNALS", subjects: ["signals.>"] },
    { name: "FEEDBACK", subjects: ["feedback.>"] },
  ];
  return openStack({ ...options, streams });
}

export async function untilFeaturesQuiet(broker: Broker, limitMs: number): Promise<void> {
  await Promise.all(featureSources.map((source) => untilQuiet(broker, limitMs, source)));
}

export async function countApplied({ sql }: TestDatabase): Promise<number> {
  const [row] = await sql<{ applied: number }[]>`
    SELECT count(*)::int AS applied FROM feature_events`;
  return row?.applied ?? 0;
}

/** Messages in both streams, and those that a replica has and that are not acked yet. */
async function messagesIn({ jsm }: Broker): Promise<{ stored: number; inFlight: number }> {
  let stored = 0;
  let inFlight = 0;
  for (const { stream, durable } of featureSources) {
    stored += (await jsm.streams.info(stream)).state.messages;
    // A replica makes it when it starts.
    const info = await jsm.consumers.info(stream, durable).catch(() => undefined);
    inFlight += info?.num_ack_pending ?? 0;
  }
  return { stored, inFlight };
}

interface Played {
  readonly problems: readonly string[];
  readonly duplicates: number;
  readonly recoveryMs: number;
  /** What was at stake at each fault. */
  readonly faults: readonly string[];
}

async function play(
  stack: Stack,
  { faults }: FeatureStory,
  publications: readonly Publication[],
): Promise<Played> {
  const { broker, database } = stack;
  const problems: string[] = [];
  const stakes: string[] = [];
  let overAt = 0;
  const injectAll = async () => {
    for (const count of faults?.at ?? []) {
      let stake = "";
      await eventually(async () => {
        // A connection of before the last fault may be broken, which asking finds out.
        const applied = await countApplied(database).catch(() => 0);
        const { stored, inFlight } = await messagesIn(broker);
        stake = `${stored} stored, ${applied} applied, ${inFlight} in flight`;
        return applied >= count && inFlight > 0;
      }, quietLimitMs).catch((error) => problems.push(`no fault at ${count} applied: ${error}`));
      await faults?.inject(stack);
      stakes.push(stake);
      overAt = performance.now();
    }
  };
  const few = faults ? publications.length / 20 : 0;
  let duplicates = await publishAll(broker, publications.slice(0, few));
  // Replicas take longer to start than most of this takes to publish.
  if (faults) await eventually(async () => (await countApplied(database)) > 0, quietLimitMs);
  const [more] = await Promise.all([publishAll(broker, publications.slice(few)), injectAll()]);
  duplicates += more;
  if (overAt === 0) overAt = performance.now();
  await untilFeaturesQuiet(broker, quietLimitMs).catch((error) => problems.push(String(error)));
  return { problems, duplicates, recoveryMs: performance.now() - overAt, faults: stakes };
}

/** What was published and confirmed and is in no stream. */
async function unstored(broker: Broker, publications: readonly Publication[]): Promise<string[]> {
  const stored = new Set<string>();
  for (const { stream } of featureSources) {
    for (const { header } of await storedMessages(broker, stream)) {
      stored.add(header("Nats-Msg-Id"));
    }
  }
  return publications.flatMap(({ messageId }) =>
    messageId === undefined || stored.has(messageId) ? [] : [messageId],
  );
}

function missed(failpoint: Failpoint | undefined, story: FeatureStory): string[] {
  const { triggered = 0, seen = 0 } = failpoint ?? {};
  if (triggered >= (story.failpoint?.at.length ?? 0)) return [];
  return [`the fault happened ${triggered} times only; its step was seen ${seen} times`];
}

function outcomeOf(
  { name, seed }: FeatureStory,
  { seconds, ...found }: FeatureComparison & Played & { readonly seconds: number },
  problems: readonly string[],
  { supervisor: { kills } }: Stack,
): FeatureOutcome {
  const { messages, invalid, repeats, duplicates, users, recoveryMs } = found;
  const stake = { invalid, repeats, duplicates, users };
  const trivial = Object.entries(stake).filter(([, count]) => count === 0);
  const differences = [
    ...problems,
    ...found.differences,
    ...trivial.map(([what]) => `nothing was at stake: no ${what}`),
  ];
  const faults = found.faults.map((fault) => `; with ${fault}`).join("");
  const report = [
    `${name}, seed ${seed}: ${differences.length} differences; ${kills} kills${faults}; quiet again after ${(recoveryMs / 1_000).toFixed(1)} s, ${seconds.toFixed(1)} s in all; ${messages} messages (${invalid} invalid, ${repeats} stored again, ${duplicates} duplicates not stored), ${users} users`,
    ...differences.map((line) => `  ${line}`),
  ].join("\n");
  return { ...found, differences, report };
}
