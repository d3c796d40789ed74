import type { ChildProcess } from "node:child_process";
import { ackRate, median, type Rig, startContender, stopContender } from "./rig.ts";

export interface AgainstCeiling {
  /** Messages a second, one per round. */
  readonly ceiling: readonly number[];
  readonly rates: readonly number[];
  readonly ofCeiling: readonly number[];
}

/** The ceiling and the service in turn over the same stream, so that a slow moment slows both. */
export async function compareWithCeiling(
  rig: Rig,
  options: {
    readonly what: string;
    readonly stream: string;
    readonly messages: number;
    readonly rounds: number;
    /** Starts the service; it reads the stream by that durable. */
    readonly start: (round: number) => { readonly child: ChildProcess; readonly durable: string };
    /** Checks what came of it, and makes room for the next round. */
    readonly finish: () => Promise<void>;
    readonly log: (line: string) => void;
  },
): Promise<AgainstCeiling> {
  const { what, stream, messages, rounds, log } = options;
  const measure = async (child: ChildProcess, durable: string) => {
    const rate = await ackRate(rig, stream, durable, messages);
    await stopContender(child);
    await rig.jsm.consumers.delete(stream, durable);
    return rate;
  };
  const ceiling: number[] = [];
  const rates: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const durable = `bench-ceiling-${round}`;
    const env = { NATS_URL: rig.natsUrl, STREAM: stream, DURABLE: durable };
    const most = await measure(startContender("./contenders/ceiling.ts", env), durable);
    const service = options.start(round);
    const rate = await measure(service.child, service.durable);
    await options.finish();
    ceiling.push(most);
    rates.push(rate);
    log(
      `round ${round + 1}/${rounds} ${what}: ${Math.round(rate)} of ${Math.round(most)} messages/s`,
    );
  }
  return { ceiling, rates, ofCeiling: rates.map((rate, i) => rate / (ceiling[i] ?? Number.NaN)) };
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
