import type { ChildProcess } from "node:child_process";
import { ackRate, median, type Rig, startContender, stopContender } from "./rig.ts";
import { statementsOf } from "./service-metrics.ts";

export interface AgainstCeiling {
  /** Messages a second, one per round. */
  readonly ceiling: readonly number[];
  readonly rates: readonly number[];
  readonly ofCeiling: readonly number[];
}

export interface AgainstBoth extends AgainstCeiling {
  /** Messages a second that PostgreSQL stores without a broker. */
  readonly database: readonly number[];
  readonly ofDatabase: readonly number[];
  /** Calls of PostgreSQL per 1,000 messages, one per round. */
  readonly statements: readonly number[];
}

/** The ceiling, the service and PostgreSQL alone in turn over the same messages, so that a slow moment slows both. */
export async function compareWithCeiling(
  rig: Rig,
  options: {
    readonly what: string;
    readonly stream: string;
    readonly messages: number;
    readonly rounds: number;
    /** Starts the service; it reads the stream by that durable. */
    readonly start: (
      round: number,
    ) => Promise<{ readonly child: ChildProcess; readonly durable: string; readonly port: number }>;
    /** Messages a second that PostgreSQL stores at the most. */
    readonly database: () => Promise<number>;
    /** Checks what came of it, and makes room for the next round. */
    readonly finish: () => Promise<void>;
    readonly log: (line: string) => void;
  },
): Promise<AgainstBoth> {
  const { what, stream, messages, rounds, log } = options;
  const measure = async (
    child: ChildProcess,
    durable: string,
    beforeStop = async () => undefined as unknown,
  ) => {
    const rate = await ackRate(rig, stream, durable, messages);
    await beforeStop();
    await stopContender(child);
    await rig.jsm.consumers.delete(stream, durable);
    return rate;
  };
  const ceiling: number[] = [];
  const rates: number[] = [];
  const database: number[] = [];
  const statements: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const durable = `bench-ceiling-${round}`;
    const env = { NATS_URL: rig.natsUrl, STREAM: stream, DURABLE: durable };
    const most = await measure(startContender("./contenders/ceiling.ts", env), durable);
    const service = await options.start(round);
    const rate = await measure(service.child, service.durable, async () => {
      statements.push((1_000 * (await statementsOf(service.port))) / messages);
    });
    await options.finish();
    const stored = await options.database();
    await options.finish();
    ceiling.push(most);
    rates.push(rate);
    database.push(stored);
    const [a, b, c] = [rate, most, stored].map(Math.round);
    log(`round ${round + 1}/${rounds} ${what}: ${a} of ${b} messages/s; PostgreSQL alone ${c}`);
  }
  const share = (of: readonly number[]) => rates.map((rate, i) => rate / (of[i] ?? Number.NaN));
  return {
    ...{ ceiling, rates, database, statements },
    ...{ ofCeiling: share(ceiling), ofDatabase: share(database) },
  };
}

/** A stream that the service has made in an earlier part, with a configuration of its own. */
export async function removeStream({ jsm }: Rig, stream: string): Promise<void> {
  const names = await jsm.streams.names().next();
  if (names.includes(stream)) await jsm.streams.delete(stream);
}

export function against({ rates, ceiling, ofCeiling }: AgainstCeiling): string {
  const [rate, most] = [rates, ceiling].map((all) => Math.round(median(all)).toLocaleString("en"));
  return `${rate} messages/s, ${median(ofCeiling).toFixed(2)} of the ceiling (${most})`;
}

export function againstBoth(figures: AgainstBoth): string {
  const { database, ofDatabase, statements } = figures;
  const most = Math.round(median(database)).toLocaleString("en");
  return `${against(figures)}, ${median(ofDatabase).toFixed(2)} of PostgreSQL alone (${most}); ${median(statements).toFixed(1)} statements per 1,000`;
}
