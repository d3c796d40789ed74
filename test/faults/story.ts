import type { TestDatabase } from "../rig/database.ts";
import { eventually } from "../rig/eventually.ts";
import { type Comparison, compareWithReference } from "./comparison.ts";
import { defaultWindowMs, type TrafficOptions, trafficFrom } from "./events.ts";
import { type Failpoint, type FailpointOptions, setFailpoint } from "./failpoint.ts";
import { publishAll } from "./publications.ts";
import { durable, openStack, type Stack, untilQuiet } from "./stack.ts";
import type { ProxiedReplica } from "./supervisor.ts";

/** What goes wrong in a story. */
export interface Fault {
  readonly name: string;
  /** One that is `unarmed` is armed when the first half is learned from, so that nothing of it is read again later. */
  readonly failpoint?: FailpointOptions;
  /** Called before anything is published. */
  readonly begin?: (stack: Stack) => Promise<void>;
  /** Called when half of the events are published and some are learned from, while more come. */
  readonly inject?: (stack: Stack) => Promise<void>;
  /** What must have happened for the story to show anything, counted when all is quiet. */
  readonly stake?: (stack: Stack) => Promise<Readonly<Record<string, number>>>;
}

export interface Story {
  readonly fault: Fault;
  readonly seed: number;
  readonly main: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly traffic?: TrafficOptions;
  /** A database on a server of the caller's own. */
  readonly openDatabase?: () => Promise<TestDatabase>;
}

export interface Outcome extends Comparison {
  readonly kills: number;
  /** What JetStream did not store again. */
  readonly duplicates: number;
  readonly seconds: number;
  /** From when the fault was over until everything published by then was accounted for. */
  readonly recoveryMs: number;
  /** What the fault says must have happened. */
  readonly stake: Readonly<Record<string, number>>;
  /** For a person: seed, fault, figures and differences. */
  readonly report: string;
}

const quietLimitMs = 45_000;

/** Three replicas, some hundred events, one fault; then everything is held against the reference. */
export async function runStory(story: Story): Promise<Outcome> {
  const startedAt = performance.now();
  let stack: Stack | undefined;
  const failpoint =
    story.fault.failpoint &&
    setFailpoint(
      story.fault.failpoint,
      injectionOf(story.fault.failpoint, () => stack),
    );
  try {
    stack = await openStack({ ...story, size: 3, ...(failpoint && { failpoint }) });
    const { problems, recoveryMs, duplicates } = await play(stack, story, failpoint);
    const comparison = await compareWithReference(
      stack.broker,
      stack.database,
      story.traffic?.windowMs ?? defaultWindowMs,
    );
    const stake = (await story.fault.stake?.(stack)) ?? {};
    const seconds = (performance.now() - startedAt) / 1_000;
    return outcomeOf(
      story,
      { ...comparison, recoveryMs, duplicates, seconds, stake },
      problems,
      stack.supervisor,
    );
  } finally {
    await stack?.close();
  }
}

function injectionOf({ inject }: FailpointOptions, stack: () => Stack | undefined) {
  if (!inject) return undefined;
  return async (replica: ProxiedReplica) => {
    const on = stack();
    if (on) await inject(on, replica);
  };
}

/** Resolves to what went wrong beside the result, and how long it took after the fault was over. */
async function play(
  stack: Stack,
  { fault, traffic, seed }: Story,
  failpoint: Failpoint | undefined,
): Promise<{ problems: string[]; recoveryMs: number; duplicates: number }> {
  const { broker, supervisor } = stack;
  const { first, second, late } = trafficFrom(seed, traffic);
  const problems: string[] = [];
  const quiet = async () => {
    await untilQuiet(broker, quietLimitMs).catch((error) => problems.push(String(error)));
  };
  await fault.begin?.(stack);
  let duplicates = await publishAll(broker, first);
  await eventually(async () => (await settledMessages(broker)) > 0, quietLimitMs);
  if (fault.failpoint?.unarmed) {
    await quiet();
    failpoint?.arm();
  }
  let overAt = performance.now();
  const inject = async () => {
    await fault.inject?.(stack);
    overAt = performance.now();
  };
  const [more] = await Promise.all([publishAll(broker, second), inject()]);
  duplicates += more;
  await failpoint?.settled();
  await quiet();
  const recoveryMs = performance.now() - overAt;
  await publishAll(broker, late, { anew: true });
  await quiet();
  problems.push(
    ...supervisor.accidents.map((accident) => `a replica ended by itself: ${accident}`),
  );
  if (failpoint && failpoint.triggered < (fault.failpoint?.at.length ?? 0)) {
    const { triggered, seen } = failpoint;
    problems.push(`the fault happened ${triggered} times only; its step was seen ${seen} times`);
  }
  return { problems, recoveryMs, duplicates };
}

/** How many messages the durable is done with, at least. */
async function settledMessages({ jsm }: Stack["broker"]): Promise<number> {
  const info = await jsm.consumers.info("EXPERIENCE", durable).catch(() => undefined);
  return info?.ack_floor.stream_seq ?? 0;
}

function outcomeOf(
  { fault, seed }: Story,
  comparison: Comparison & Pick<Outcome, "recoveryMs" | "duplicates" | "seconds" | "stake">,
  problems: readonly string[],
  { kills }: Stack["supervisor"],
): Outcome {
  const { messages, invalid, repeats, duplicates, lessons, sightings } = comparison;
  const stake = { invalid, repeats, duplicates, lessons, sightings, ...comparison.stake };
  const trivial = Object.entries(stake).filter(([, count]) => count === 0);
  const differences = [
    ...problems,
    ...comparison.differences,
    ...trivial.map(([what]) => `nothing was at stake: no ${what}`),
  ];
  const report = [
    `${fault.name}, seed ${seed}: ${differences.length} differences; ${kills} kills, quiet again after ${(comparison.recoveryMs / 1_000).toFixed(1)} s, ${comparison.seconds.toFixed(1)} s in all; ${messages} messages (${invalid} invalid, ${repeats} stored again, ${duplicates} duplicates not stored), ${lessons} lessons, ${sightings} sightings${counts(comparison.stake)}`,
    ...differences.map((line) => `  ${line}`),
  ].join("\n");
  return { ...comparison, differences, kills, report };
}

const counts = (stake: Outcome["stake"]): string =>
  Object.entries(stake)
    .map(([what, count]) => `, ${count} ${what}`)
    .join("");
