import type { NatsConnection } from "@nats-io/transport-node";
import { pause } from "../../src/runtime/backoff.ts";
import { healthSubject } from "../../src/subjects.ts";
import { get } from "../rig/service.ts";

/** Asks one replica again and again whether it is ready, and whether that is true. */
export interface ReadinessWatch {
  /** Resolves when it has said so and has answered. */
  readonly ready: Promise<void>;
  /** From now on it must say that it is not ready. */
  terminating(): void;
  /** Asks no more. */
  stop(): Promise<Readiness>;
}

export interface Readiness {
  readonly asked: number;
  readonly ready: number;
  /** How long its answers to requests took while it was ready. */
  readonly answerMs: readonly number[];
  /** From SIGTERM until it said "ready" for the last time; 0: it did not say so any more. */
  readonly readyAfterTermMs: number;
  /** Whatever "ready" was not true. */
  readonly lies: readonly string[];
}

const everyMs = 50;
const answerLimitMs = 10_000;

/**
 * Who says "ready" before and after a request must have answered it: in between it may have been told
 * to stop, but then it says so from then on.
 */
export function watchReadiness(nc: NatsConnection, httpPort: number): ReadinessWatch {
  const ends = new AbortController();
  const answerMs: number[] = [];
  const lies: string[] = [];
  let asked = 0;
  let ready = 0;
  let instance: string | undefined;
  let terminatedAt: number | undefined;
  let hasRefused = false;
  let readyAfterTermMs = 0;
  let tellReady: () => void = () => undefined;
  const isReady = new Promise<void>((resolve) => {
    tellReady = resolve;
  });

  async function saysReady(): Promise<boolean> {
    const status = await get(httpPort, "/readyz").then(
      ({ status }) => status,
      () => 0,
    );
    asked += 1;
    if (status === 200) ready += 1;
    if (terminatedAt === undefined) return status === 200;
    if (status === 200 && hasRefused) lies.push("ready again after SIGTERM");
    if (status === 200) readyAfterTermMs = performance.now() - terminatedAt;
    else hasRefused = true;
    return status === 200;
  }

  /** Undefined when it has answered, else why it has not. */
  async function problem(): Promise<string | undefined> {
    const startedAt = performance.now();
    try {
      instance ??= JSON.parse((await get(httpPort, "/health")).text).instance as string;
      await nc.request(healthSubject(instance), "", { timeout: answerLimitMs });
      answerMs.push(performance.now() - startedAt);
      return undefined;
    } catch (error) {
      return `${Math.round(performance.now() - startedAt)} ms: ${error}`;
    }
  }

  async function look(): Promise<void> {
    if (!(await saysReady())) return;
    const why = await problem();
    if (why === undefined) tellReady();
    else if (terminatedAt === undefined) lies.push(`ready, and no answer within ${why}`);
    else if (await saysReady()) lies.push(`ready again, and no answer in between within ${why}`);
  }

  async function run(): Promise<void> {
    while (!ends.signal.aborted) {
      await look();
      // While it stops, every millisecond counts.
      if (terminatedAt === undefined) await pause(everyMs, ends.signal);
      else await pause(1, ends.signal);
    }
  }

  const running = run();
  return {
    ready: isReady,
    terminating: () => {
      terminatedAt = performance.now();
    },
    async stop() {
      ends.abort();
      await running;
      return { asked, ready, answerMs, readyAfterTermMs, lies };
    },
  };
}
