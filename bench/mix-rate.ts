import { against } from "./against-ceiling.ts";
import { mix } from "./mix.ts";
import type { Part } from "./part.ts";
import { measureReplicas, type ReplicasFigures } from "./replicas.ts";
import { ackRate, fillStream, median, type Rig, startContender, stopContender } from "./rig.ts";

export interface MixFigures {
  readonly events: number;
  /** Messages a second, one per round. */
  readonly ceiling: readonly number[];
  readonly rates: readonly number[];
  readonly ofCeiling: readonly number[];
  readonly rounds: readonly ReplicasFigures[];
}

const stream = "MIX";

/** One replica against the ceiling, in turn over the same stream. */
export async function measureMix(
  rig: Rig,
  options: {
    readonly events: number;
    readonly rounds: number;
    readonly log: (line: string) => void;
  },
): Promise<MixFigures> {
  const { events, log } = options;
  const { subject } = await fillStream(rig, stream, mix({ count: events, endsAt: Date.now() }));
  const ceiling: number[] = [];
  const rounds: ReplicasFigures[] = [];
  for (let round = 0; round < options.rounds; round++) {
    ceiling.push(await ceilingOf(rig, stream, `bench-mix-ceiling-${round}`, events));
    const readers = [{ subject, durable: `bench-mix-${round}`, replicas: 1 }];
    const one = await measureReplicas(rig, { stream, events, readers });
    rounds.push(one);
    log(
      `round ${round + 1}/${options.rounds} mix: ${Math.round(events / one.seconds)} of ${Math.round(ceiling.at(-1) ?? 0)} messages/s, ${one.puts} KV puts, ${one.statements} statements`,
    );
  }
  await rig.jsm.streams.delete(stream);
  const rates = rounds.map(({ seconds }) => events / seconds);
  const ofCeiling = rates.map((rate, i) => rate / (ceiling[i] ?? Number.NaN));
  return { events, ceiling, rates, ofCeiling, rounds };
}

/** Messages a second of a program that only pulls and acks. */
export async function ceilingOf(
  rig: Rig,
  of: string,
  durable: string,
  events: number,
): Promise<number> {
  const env = { NATS_URL: rig.natsUrl, STREAM: of, DURABLE: durable };
  const child = startContender("./contenders/ceiling.ts", env);
  const rate = await ackRate(rig, of, durable, events);
  await stopContender(child);
  await rig.jsm.consumers.delete(of, durable);
  return rate;
}

export function mixPromises({ events, ofCeiling, rounds }: MixFigures) {
  const perThousand = (of: "puts" | "statements") =>
    median(rounds.map((one) => (one[of] / events) * 1_000));
  return [
    { promise: "mix >= 0.35 x ceiling", limit: 0.35, measured: median(ofCeiling) },
    {
      ...{ promise: "mix: SQL statements per 1,000 events <= 1", limit: 1, most: true },
      measured: perThousand("statements"),
    },
    {
      ...{ promise: "mix: KV puts per 1,000 events <= 50", limit: 50, most: true },
      measured: perThousand("puts"),
    },
  ];
}

export const mixPart: Part<MixFigures> = {
  name: "mix",
  measure: ({ rig, events, rounds, log }) => measureMix(rig, { events, rounds, log }),
  promises: mixPromises,
  report: (figures) => [`Mix, ${figures.events} events: ${against(figures)}`, ""],
};
