import { type BenchEvent, encode, type Shape } from "./events.ts";

/**
 * Events as a fleet of agents sends them: mostly OK, a few failures everywhere, and now and then a burst in which half
 * of what one agent does at one task fails, always in the same way. The same options give the same events.
 */
export interface MixOptions {
  /** Events, duplicates included. */
  readonly count: number;
  /** Event time of the last ones, epoch ms. */
  readonly endsAt: number;
  readonly agents?: number;
  readonly tasksPerAgent?: number;
  /** Over how long they happened. */
  readonly spanMs?: number;
  /** How far an event may come behind those that happened with it. */
  readonly jitterMs?: number;
  readonly seed?: number;
}

export interface MixEvent extends BenchEvent {
  readonly agent: string;
  /** What the payload says. */
  readonly shape: Shape;
  readonly isDuplicate: boolean;
}

interface Burst {
  readonly from: number;
  readonly until: number;
  readonly failure: Failure;
}

type Failure = Pick<Shape, "ok" | "errorClass" | "latencyMs" | "silent">;

const minute = 60_000;
const burstMinutes = { least: 1, most: 40 };
const burstsOfTask = { least: 2, most: 4 };
const eventsOfRun = 4;
const failing = { inBurst: 0.5, elsewhere: 0.01 };
const duplicates = 0.05;
/** A duplicate comes after one of so many events. */
const duplicateOfLast = 5_000;

const failures: readonly Failure[] = [
  { ok: false, errorClass: "timeout" },
  { ok: false, errorClass: "rate_limited" },
  { ok: false, errorClass: "http_503" },
  { ok: false, errorClass: "invalid_arguments" },
  { ok: true, latencyMs: 9_000 },
  { ok: true, silent: true },
];

export function* mix(options: MixOptions): Generator<MixEvent> {
  const { count, endsAt, spanMs = 6 * 60 * minute, jitterMs = 10 * minute } = options;
  const random = randomFrom(options.seed ?? 1);
  const tasks = tasksOf(options, endsAt - spanMs, endsAt, random);
  const last: MixEvent[] = [];
  for (let i = 0; i < count; i++) {
    if (last.length > 0 && random() < duplicates) {
      const again = pick(last, random);
      yield { ...again, isDuplicate: true };
      continue;
    }
    const happened = endsAt - spanMs + (i / count) * spanMs - random() * jitterMs;
    const task = pick(tasks, random);
    const run = `${task.agent}-${task.task}-${Math.floor(task.sent++ / eventsOfRun)}`;
    const shape: Shape = {
      ...{ id: `mix-${i}`, ts: Math.round(happened), run, agent: task.agent, task: task.task },
      ...whatBecame(task.bursts, happened, random),
    };
    const event = { ...encode(shape), agent: task.agent, shape, isDuplicate: false };
    last[i % duplicateOfLast] = event;
    yield event;
  }
}

function tasksOf(
  { agents = 100, tasksPerAgent = 2 }: MixOptions,
  from: number,
  until: number,
  random: () => number,
) {
  const names = Array.from({ length: agents * tasksPerAgent }, (_, i) => ({
    agent: `agent-${i % agents}`,
    task: `task-${Math.floor(i / agents)}`,
  }));
  return names.map((name) => {
    const { least, most } = burstsOfTask;
    const bursts = Array.from({ length: least + Math.floor(random() * (most - least + 1)) }, () =>
      burst(from, until, random),
    );
    return { ...name, bursts, sent: 0 };
  });
}

function burst(from: number, until: number, random: () => number): Burst {
  const starts = from + random() * (until - from);
  const { least, most } = burstMinutes;
  const lasts = (least + random() * (most - least)) * minute;
  return { from: starts, until: starts + lasts, failure: pick(failures, random) };
}

function whatBecame(bursts: readonly Burst[], ts: number, random: () => number): Failure {
  const now = bursts.find(({ from, until }) => ts >= from && ts < until);
  if (random() >= (now ? failing.inBurst : failing.elsewhere)) return { ok: true };
  return now?.failure ?? pick(failures, random);
}

/** `last` may have holes, where a duplicate was sent: then the one before. */
function pick<T>(of: readonly T[], random: () => number): T {
  for (let i = Math.floor(random() * of.length); i >= 0; i--) {
    const found = of[i];
    if (found !== undefined) return found;
  }
  throw new Error("nothing to pick from");
}

/** mulberry32: numbers in [0, 1), the same for the same seed. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
