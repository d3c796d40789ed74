import { connect, type Msg } from "@nats-io/transport-node";
import type { Random } from "./events.ts";

/** A planner over NATS that does everything that planners do to those who ask them. */
export interface UnreliablePlanner {
  /** By agent: how many of its missions were planned at the same moment, at most. */
  readonly most: ReadonlyMap<string, number>;
  readonly seen: { plans: number; nonsense: number; silent: number; late: number; deaths: number };
  /** What it is planning is lost, and until it is back nobody answers at its subject. */
  dieFor(back: Promise<unknown>): Promise<void>;
  close(): Promise<void>;
}

/** A plan takes that long, ms. */
const fastestMs = 100;
const slowestMs = 3_000;
/** It stops so long before whoever asked stops waiting, so that what it runs is never more than what is waited for. */
const marginMs = 500;

const plan = JSON.stringify({ summary: "done", steps: [], tokens_used: 1 });

/** One question in ten is answered with nonsense, one with nothing, one too late. */
export async function startUnreliablePlanner(
  url: string,
  random: Random,
): Promise<UnreliablePlanner> {
  const most = new Map<string, number>();
  const seen = { plans: 0, nonsense: 0, silent: 0, late: 0, deaths: 0 };

  function answer(message: Msg, running: Map<string, number>, isAlive: () => boolean): void {
    const { agent_id: agent, timeout_ms } = message.json<Question>();
    const kind = random(10);
    if (kind === 0) {
      seen.nonsense += 1;
      message.respond("Certainly! Here is the plan:");
      return;
    }
    const now = (running.get(agent) ?? 0) + 1;
    running.set(agent, now);
    most.set(agent, Math.max(most.get(agent) ?? 0, now));
    const say = () => isAlive() && message.respond(plan);
    const takesMs = fastestMs + random(slowestMs - fastestMs);
    const givesUpMs = timeout_ms - marginMs;
    setTimeout(
      () => {
        running.set(agent, (running.get(agent) ?? 0) - 1);
        if (kind > 2 && takesMs <= givesUpMs) seen.plans += say() ? 1 : 0;
      },
      Math.max(0, Math.min(takesMs, givesUpMs)),
    );
    if (kind === 1) seen.silent += 1;
    if (kind !== 2) return;
    seen.late += 1;
    setTimeout(say, timeout_ms + marginMs);
  }

  async function start() {
    const nc = await connect({ servers: url });
    const running = new Map<string, number>();
    const isAlive = () => !nc.isClosed();
    nc.subscribe("planner", {
      callback(error, message) {
        if (error) throw error;
        answer(message, running, isAlive);
      },
    });
    await nc.flush();
    return nc;
  }

  let nc = await start();
  return {
    most,
    seen,
    async dieFor(back) {
      seen.deaths += 1;
      await nc.close();
      await back;
      nc = await start();
    },
    close: () => nc.close(),
  };
}

interface Question {
  readonly agent_id: string;
  readonly timeout_ms: number;
}
