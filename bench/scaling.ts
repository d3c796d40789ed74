import type { BenchEvent } from "./events.ts";
import { mix } from "./mix.ts";
import type { Part } from "./part.ts";
import { measureReplicas, type Readers, type ReplicasFigures } from "./replicas.ts";
import { fillStream, median, type Rig } from "./rig.ts";

export interface Scaling {
  readonly name: string;
  readonly rounds: ReplicasFigures[];
}

const stream = "SCALING";
const partitions = 4;
const floorName = `${partitions} that share nothing`;

/**
 * One, two and four replicas of one durable, and the floor: four that share nothing, each with a durable of its own over a
 * part of the agents, whose events the publisher has told apart by subject.
 */
export async function measureScaling(
  rig: Rig,
  options: {
    readonly events: number;
    readonly rounds: number;
    readonly env?: Record<string, string>;
    readonly log: (line: string) => void;
  },
): Promise<Scaling[]> {
  const { events, env, log } = options;
  const { subject } = await fillStream(rig, stream, partitioned(events));
  const results = contenders(subject).map(({ name }): Scaling => ({ name, rounds: [] }));
  for (let round = 0; round < options.rounds; round++) {
    for (const [i, { name, readers }] of contenders(subject, round).entries()) {
      const one = await measureReplicas(rig, { stream, events, readers, ...(env && { env }) });
      results[i]?.rounds.push(one);
      log(`round ${round + 1}/${options.rounds} ${name}: ${lineOf(one)}`);
    }
  }
  await rig.jsm.streams.delete(stream);
  const learned = results.flatMap(({ rounds }) => rounds.map((one) => one.learned.keys));
  if (new Set(learned).size !== 1) throw new Error("the same events led to different lessons");
  return results;
}

function contenders(subject: string, round = 0): { name: string; readers: readonly Readers[] }[] {
  const shared = [1, 2, 4].map((replicas) => ({
    name: replicas === 1 ? "1 replica" : `${replicas} replicas`,
    readers: [{ subject, durable: `bench-${replicas}-${round}`, replicas }],
  }));
  const floor = Array.from({ length: partitions }, (_, i) => ({
    subject: subject.replace(">", `p${i}.>`),
    durable: `bench-floor-${i}-${round}`,
    replicas: 1,
  }));
  return [...shared, { name: floorName, readers: floor }];
}

function* partitioned(count: number): Generator<BenchEvent> {
  for (const { agent, subject, payload } of mix({ count, endsAt: Date.now() })) {
    const partition = Number(agent.slice(agent.lastIndexOf("-") + 1)) % partitions;
    yield { subject: `p${partition}.${subject}`, payload };
  }
}

function lineOf(one: ReplicasFigures): string {
  const shares = one.shares.map((share) => `${Math.round(100 * share)} %`).join(" ");
  const { lessons, sightings } = one.learned;
  return `${one.seconds.toFixed(1)} s, CPU ${one.cpuSeconds.toFixed(1)} s, shares ${shares}, ${one.puts} KV puts, ${one.lostCompareAndSets} lost, ${one.statements} statements; ${lessons} lessons, ${sightings} sightings`;
}

export function scalingPromises(results: readonly Scaling[]) {
  const roundsOf = (name: string) => results.find((one) => one.name === name)?.rounds ?? [];
  const [most, floor] = [roundsOf("4 replicas"), roundsOf(floorName)];
  const ratio = (of: "seconds" | "cpuSeconds") =>
    median(most.map((one, i) => one[of] / (floor[i]?.[of] ?? Number.NaN)));
  const shares = most.flatMap((one) => one.shares);
  const lost = most.map(({ puts, lostCompareAndSets }) => lostCompareAndSets / puts);
  return [
    {
      ...{ promise: "4 replicas <= 1.25 x the floor in time", limit: 1.25, most: true },
      measured: ratio("seconds"),
    },
    {
      ...{ promise: "4 replicas <= 1.25 x the floor in CPU", limit: 1.25, most: true },
      measured: ratio("cpuSeconds"),
    },
    {
      ...{ promise: "each of 4 replicas >= 0.15 of the events", limit: 0.15 },
      measured: Math.min(...shares),
    },
    {
      ...{ promise: "each of 4 replicas <= 0.35 of the events", limit: 0.35, most: true },
      measured: Math.max(...shares),
    },
    {
      ...{ promise: "4 replicas: lost compare-and-sets <= 0.01 of puts", limit: 0.01, most: true },
      measured: median(lost),
    },
  ];
}

export function scalingTable(results: readonly Scaling[]): string[] {
  const of = (rounds: readonly ReplicasFigures[], value: (one: ReplicasFigures) => number) =>
    median(rounds.map(value));
  return [
    "| | s | CPU s | least, most share | KV puts | lost compare-and-sets | SQL statements |",
    "|---|---:|---:|---:|---:|---:|---:|",
    ...results.map(({ name, rounds }) => {
      const shares = rounds.flatMap((one) => one.shares);
      return `| ${[
        name,
        of(rounds, ({ seconds }) => seconds).toFixed(1),
        of(rounds, ({ cpuSeconds }) => cpuSeconds).toFixed(1),
        `${Math.min(...shares).toFixed(2)}, ${Math.max(...shares).toFixed(2)}`,
        of(rounds, ({ puts }) => puts),
        of(rounds, ({ lostCompareAndSets }) => lostCompareAndSets),
        of(rounds, ({ statements }) => statements),
      ].join(" | ")} |`;
    }),
  ];
}

export const scalingPart: Part<Scaling[]> = {
  name: "scaling",
  measure: ({ rig, events, rounds, log }) => measureScaling(rig, { events, rounds, log }),
  promises: scalingPromises,
  report: (results) => [...scalingTable(results), ""],
};
