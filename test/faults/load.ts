import { jetstream } from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/transport-node";
import { pause } from "../../src/runtime/backoff.ts";
import type { Publication } from "./publications.ts";

/** Publishes at a steady rate, each event again under its message id until JetStream has it. */
export interface Load {
  /** Events that JetStream has confirmed. */
  readonly confirmed: number;
  /** Events a second that were confirmed since the start, until all were or until now. */
  rate(): number;
  /** Resolves when there is nothing more to publish and everything is confirmed. */
  readonly done: Promise<void>;
  /** Publishes no more, and resolves when everything published so far is confirmed. */
  stop(): Promise<void>;
}

const tickMs = 10;
const tries = { timeoutMs: 2_000, pauseMs: 250 };

/**
 * At `perSecond` events, as fast as the broker takes them with `Infinity`; at most `most` of them. With
 * `mostInFlight` unconfirmed it waits: in an outage each of these is sent again four times a second.
 */
export function startLoad(
  nc: NatsConnection,
  perSecond: number,
  { most = Number.POSITIVE_INFINITY, from = 0, mostInFlight = 2_000 } = {},
): Load {
  const js = jetstream(nc);
  const ends = new AbortController();
  const inFlight = new Set<Promise<void>>();
  const startedAt = performance.now();
  let endedAt: number | undefined;
  let confirmed = 0;

  async function send({ subject, payload, messageId }: Publication): Promise<void> {
    const options = { timeout: tries.timeoutMs, ...(messageId && { msgID: messageId }) };
    const never = new AbortController().signal;
    while ((await js.publish(subject, payload, options).catch(() => null)) === null) {
      await pause(tries.pauseMs, never);
    }
    confirmed += 1;
  }

  async function run(): Promise<void> {
    let next = 0;
    while (!ends.signal.aborted && next < most) {
      const due = Math.min(most, ((performance.now() - startedAt) * perSecond) / 1_000);
      for (; next < due && inFlight.size < mostInFlight; next += 1) {
        const sent = send(loadEvent(from + next)).finally(() => inFlight.delete(sent));
        inFlight.add(sent);
      }
      await pause(perSecond === Number.POSITIVE_INFINITY ? 0 : tickMs, ends.signal);
    }
    await Promise.all(inFlight);
    endedAt = performance.now();
  }

  const running = run();
  return {
    get confirmed() {
      return confirmed;
    },
    rate: () => (confirmed * 1_000) / ((endedAt ?? performance.now()) - startedAt),
    done: running,
    async stop() {
      ends.abort();
      await running;
    },
  };
}

/** Of a failure that is the machine's, whatever else failed beside it. */
export const loadNotMade = (perSecond: number): string =>
  `this machine could not make the load of ${perSecond} events/s; it made, in events/s`;

/** One event in so many is a failure. */
const failureEvery = 20;
/** The failures of one signature lie this far apart, in rounds of five. */
const roundsApart = 10;

/**
 * The `i`-th event, of just now. Failures come in rounds of five: three that each belong to a signature
 * which has just enough of them for a lesson in the end, and two whose signature stays one short. A
 * single event that is lost is a lesson that is missing.
 */
export function loadEvent(i: number): Publication {
  const id = `load-${i}`;
  const agent = `agent-${i % 40}`;
  const isFailure = i % failureEvery === 0;
  const fields = isFailure ? failureOf(i / failureEvery) : successOf(i);
  return {
    subject: `agent.experience.v1.${agent}`,
    payload: Buffer.from(
      JSON.stringify({ event_id: id, ts: Date.now(), tool: { name: "search" }, ...fields }),
    ),
    messageId: id,
  };
}

function failureOf(count: number) {
  const round = Math.floor(count / 5);
  const place = count % 5;
  const [kind, turn] = place < 3 ? ["enough", place] : ["too-few", place - 3];
  return {
    agent_id: "agent-0",
    task_type: `${kind}-${round - turn * roundsApart}`,
    result: { ok: false, error_class: "timeout" },
  };
}

function successOf(i: number) {
  return {
    task_type: `task-${i % 20}`,
    result: { ok: true },
    llm: { model: "m", latency_ms: 800 },
  };
}
