import { invalidPayloads, type Publication } from "./publications.ts";

/** What one story publishes. All of it follows from the seed, except for the date. */
export interface Traffic {
  /** In random order; some twice in a row, which JetStream stores once. */
  readonly first: readonly Publication[];
  readonly second: readonly Publication[];
  /** Again what was published before, for when JetStream has forgotten the message ids. */
  readonly late: readonly Publication[];
}

/** The contract's default. */
export const defaultWindowMs = 1_800_000;
export type Random = (below: number) => number;

/** Mulberry32: small, and the same on every machine. */
export function randomFrom(seed: number): Random {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

export function shuffled<T>(items: readonly T[], random: Random): T[] {
  const result = [...items];
  for (let i = result.length - 1; i > 0; i -= 1) {
    const j = random(i + 1);
    [result[i], result[j]] = [result[j] as T, result[i] as T];
  }
  return result;
}

/** Kinds of evidence with their default thresholds. */
const kinds = [
  { threshold: 3, fields: { result: { ok: false, error_class: "http_503" } } },
  {
    threshold: 3,
    fields: { result: { ok: false, error_class: 'lookup of "x" timed out after 31 s' } },
  },
  { threshold: 3, fields: { result: { ok: true }, llm: { model: "m-1", latency_ms: 9_000 } } },
  { threshold: 5, fields: { result: { ok: true, silent: true }, policy: { reason: "unsure" } } },
];

/**
 * Event times, relative to an aligned window, of one signature with threshold K. Most sit exactly on
 * one side of the definition, so that a single lost or doubled event changes what must come out.
 */
const shapes: readonly ((k: number, w: number, random: Random) => number[])[] = [
  // Just enough in one aligned window, its first and last millisecond included.
  (k, w, random) => [0, w - 1, ...times(k - 2, () => random(w))],
  // Just enough within a window of exactly W, over the border of two aligned ones: no sighting.
  (k, w) => [1, w + 1, ...times(k - 2, (i) => w - 5 + i)],
  // As many, one millisecond too wide: nothing.
  (k, w) => [1, w + 2, ...times(k - 2, (i) => w - 5 + i)],
  // One too few: nothing.
  (k, w, random) => times(k - 1, () => random(w)),
  // Enough several times over, in several windows.
  (k, w, random) => times(3 * k, () => random(3 * w)),
  (k, w, random) => times(2 * k, (i) => (i % 2) * 2 * w + random(w)),
];

const times = <T>(count: number, make: (i: number) => T): T[] =>
  Array.from({ length: Math.max(0, count) }, (_, i) => make(i));

export interface TrafficOptions {
  /** How many events in a hundred are published again at once, and how many later. */
  readonly repeats?: number;
  readonly windowMs?: number;
}

/** Some 240 messages. */
export function trafficFrom(
  seed: number,
  { repeats = 10, windowMs = defaultWindowMs }: TrafficOptions = {},
): Traffic {
  const random = randomFrom(seed);
  const base = Math.floor(Date.now() / windowMs - 4) * windowMs;
  const events = [...evidence(random, base, windowMs), ...successes(random, base, windowMs)];
  const all = shuffled([...events, ...invalidPublications(seed)], random);
  const first: Publication[] = [];
  const second: Publication[] = [];
  for (const [i, publication] of all.entries()) {
    const half = i < all.length / 2 ? first : second;
    half.push(publication);
    if (random(100) < repeats) half.push(publication);
  }
  return { first, second, late: all.filter(() => random(100) < repeats) };
}

function evidence(random: Random, base: number, windowMs: number): Publication[] {
  const signatures = times(kinds.length * shapes.length, (i) => ({
    kind: kinds[i % kinds.length] as (typeof kinds)[number],
    shape: shapes[Math.floor(i / kinds.length)] as (typeof shapes)[number],
  }));
  return signatures.flatMap(({ kind, shape }, signature) =>
    shape(kind.threshold, windowMs, random).flatMap((offset, i) => {
      const id = `e-${signature}-${i}`;
      const fields = {
        ...kind.fields,
        tenant_id: `tenant-${signature % 2}`,
        agent_id: `agent-${signature % 5}`,
        task_type: `task-${signature}`,
      };
      // One id may bear two times, and counts as one at either.
      const tells = [offset, ...(random(12) === 0 ? [random(3 * windowMs)] : [])];
      return tells.map((at) =>
        eventPublication(random, id, { ...fields, ts: timeOf(random, base + at) }),
      );
    }),
  );
}

function timeOf(random: Random, ts: number): number | string {
  return random(2) === 0 ? ts : new Date(ts).toISOString();
}

/** The id in the payload, in the header, or in both. */
function eventPublication(
  random: Random,
  id: string,
  fields: { agent_id: string } & Record<string, unknown>,
): Publication {
  const inHeader = random(2) === 0;
  const inPayload = !inHeader || random(2) === 0;
  return {
    subject: `agent.experience.v1.${fields.agent_id}`,
    payload: Buffer.from(JSON.stringify({ ...(inPayload && { event_id: id }), ...fields })),
    ...(inHeader && { messageId: id }),
  };
}

/** What worked; some without any id, so that the stream's sequence is their identity. */
function successes(random: Random, base: number, windowMs: number): Publication[] {
  return times(60, (i) => {
    const fields = {
      agent_id: `agent-${i % 5}`,
      task_type: `task-${random(24)}`,
      tool: { name: `tool-${random(3)}` },
      ts: base + random(4 * windowMs),
      result: { ok: true },
    };
    return i % 5 === 0
      ? {
          subject: `agent.experience.v1.${fields.agent_id}`,
          payload: Buffer.from(JSON.stringify(fields)),
        }
      : eventPublication(random, `ok-${i}`, fields);
  });
}

function invalidPublications(seed: number): Publication[] {
  return Object.values(invalidPayloads).map((payload, i) => ({
    subject: `agent.experience.v1.agent-${i % 5}`,
    payload,
    ...(i % 3 === 0 && { messageId: `invalid-${seed}-${i}` }),
  }));
}
