import type { ChildProcess } from "node:child_process";
import { allNew, mixed, storm } from "./events.ts";
import type { Part } from "./part.ts";
import {
  ackRate,
  fillStream,
  median,
  type Rig,
  rateSaidBy,
  startContender,
  startExtractor,
  stopContender,
} from "./rig.ts";

export interface Throughput {
  readonly name: string;
  readonly what: string;
  /** Messages a second, one per round. */
  readonly rates: number[];
  /** Of the ceiling of the same round. */
  readonly ofCeiling: number[];
}

const contenders = [
  { name: "a", what: "ceiling: pull, no work, acks together", stream: "MIXED" },
  { name: "b", what: "extractor, 10 % evidence", stream: "MIXED" },
  { name: "c", what: "extractor, error storm of 50 signatures", stream: "STORM" },
  { name: "d", what: "extractor, every event a new signature", stream: "ALLNEW" },
  { name: "e", what: "obvious pipeline: KV create, insert, ack per event", stream: "MIXED" },
  { name: "f", what: "puts into a bucket, many under way, nothing else", stream: null },
] as const;
type Name = (typeof contenders)[number]["name"];

/** Every contender once per round, in turn, so that a machine that slows down slows all of them. */
export async function measureThroughput(
  rig: Rig,
  options: {
    readonly events: number;
    readonly rounds: number;
    readonly log: (line: string) => void;
  },
): Promise<Throughput[]> {
  const { events, rounds, log } = options;
  const now = Date.now();
  const streams = {
    MIXED: await fillStream(rig, "MIXED", mixed(events, 50, now)),
    STORM: await fillStream(rig, "STORM", storm(events, 50, now)),
    ALLNEW: await fillStream(rig, "ALLNEW", allNew(events, now)),
  };
  const results: Throughput[] = contenders.map(({ name, what }) => ({
    name,
    what,
    rates: [],
    ofCeiling: [],
  }));
  for (let round = 0; round < rounds; round++) {
    for (const [i, { name, stream }] of contenders.entries()) {
      const rate =
        stream === null
          ? await rateSaidBy("./contenders/puts.ts", { NATS_URL: rig.natsUrl, PUTS: `${events}` })
          : await rateOf(rig, name, streams[stream], `bench-${name}-${round}`);
      const ceiling = results[0]?.rates[round] ?? rate;
      results[i]?.rates.push(rate);
      results[i]?.ofCeiling.push(rate / (name === "a" ? rate : ceiling));
      log(`round ${round + 1}/${rounds} ${name}: ${Math.round(rate)} messages/s`);
    }
  }
  return results;
}

async function rateOf(
  rig: Rig,
  name: Name,
  { stream, subject, count }: Awaited<ReturnType<typeof fillStream>>,
  durable: string,
): Promise<number> {
  const child = start(rig, name, { stream, subject, durable });
  const rate = await ackRate(rig, stream, durable, count);
  await stopContender(child);
  await rig.jsm.consumers.delete(stream, durable);
  return rate;
}

function start(
  rig: Rig,
  name: Name,
  reads: { stream: string; subject: string; durable: string },
): ChildProcess {
  if (name !== "a" && name !== "e") return startExtractor(rig, reads);
  return startContender(`./contenders/${name === "a" ? "ceiling" : "obvious"}.ts`, {
    NATS_URL: rig.natsUrl,
    LEARNER_DATABASE_URL: rig.databaseUrl,
    STREAM: reads.stream,
    DURABLE: reads.durable,
  });
}

/** What the product promises, as medians of the rounds' ratios. */
export function promises(results: readonly Throughput[]) {
  const ratios = (name: string) => results.find((one) => one.name === name)?.ofCeiling ?? [];
  const against = (name: string, other: string) =>
    median(ratios(name).map((ratio, i) => ratio / (ratios(other)[i] ?? Number.NaN)));
  return [
    { promise: "(b) >= 0.5 x (a)", limit: 0.5, measured: median(ratios("b")) },
    { promise: "(c) >= 0.45 x (a)", limit: 0.45, measured: median(ratios("c")) },
    { promise: "(d) >= 0.5 x (f)", limit: 0.5, measured: against("d", "f") },
    { promise: "(b) >= 6 x (e)", limit: 6, measured: against("b", "e") },
  ];
}

export const throughputPart: Part<Throughput[]> = {
  name: "throughput",
  measure: ({ rig, quick, rounds, log }) =>
    measureThroughput(rig, { events: quick ? 5_000 : 100_000, rounds, log }),
  promises,
  report: (results) => [
    "| | messages/s | of the ceiling |",
    "|---|---:|---:|",
    ...results.map(({ name, what, rates, ofCeiling }) => {
      const rate = Math.round(median(rates)).toLocaleString("en");
      return `| (${name}) ${what} | ${rate} | ${median(ofCeiling).toFixed(2)} |`;
    }),
    "",
  ],
};
