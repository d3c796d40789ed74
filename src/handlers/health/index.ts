import { messageOf } from "../../errors.ts";
import { type OpenLetters, openByDurable } from "../../runtime/dead-letter.ts";
import { withTimeout } from "../../runtime/timeout.ts";
import { Type } from "../../schema/typebox.ts";
import type { ConcernPart } from "../concern.ts";

const status = Type.Enum(["ok", "degraded", "down"]);

const consumerSchema = Type.Object({
  pending: Type.Integer({ description: "messages the durable has not been given yet" }),
  ack_pending: Type.Integer({ description: "given and not acked yet" }),
  redelivered: Type.Integer(),
  last_msg_at: Type.Union([Type.String(), Type.Null()], { description: "ISO 8601" }),
});

const deadLettersSchema = Type.Object({
  open: Type.Integer({ description: "not replayed" }),
  newest_at: Type.Union([Type.String(), Type.Null()], { description: "ISO 8601: of these" }),
  by_durable: Type.Record(Type.String(), Type.Integer(), { description: "<stream>/<durable>" }),
});

export const healthSchema = Type.Object({
  status,
  instance: Type.String(),
  version: Type.String(),
  uptime_seconds: Type.Number(),
  checks: Type.Object({
    nats: status,
    postgres: status,
    kv: status,
    consumers: Type.Record(Type.String(), consumerSchema),
    dead_letters: Type.Union([deadLettersSchema, Type.Null()], {
      description: "null: not known right now",
    }),
  }),
  problems: Type.Array(Type.String(), { description: "what is wrong, in words" }),
});

export type Status = "ok" | "degraded" | "down";
export type HealthReply = Type.Static<typeof healthSchema>;
export type ConsumerFigures = Type.Static<typeof consumerSchema>;

/** What health asks of a running replica. Probes reject when their dependency is away. */
export interface HealthSources {
  readonly instance: string;
  readonly version: string;
  readonly nats: () => Promise<void>;
  readonly postgres: () => Promise<void>;
  readonly kv: () => Promise<void>;
  readonly deadLetters: () => Promise<OpenLetters>;
  /** `<stream>/<durable>` → how to ask for its figures, and what this replica's part of it reports. */
  readonly consumers: Iterable<
    readonly [
      name: string,
      {
        readonly figures: () => Promise<ConsumerFigures & { readonly paused?: boolean }>;
        readonly problem: () => string | null;
      },
    ]
  >;
}

/** A caller that gives the whole of health two seconds still learns what did not answer. */
const probeMs = 1_500;
/** A dead letter that was neither replayed nor purged for this long is no news. */
const newsMs = 24 * 3_600 * 1_000;

/**
 * Asks every dependency at once. `down`: NATS, PostgreSQL or KV does not answer within 1.5 s, or
 * refuses what is needed, so nothing can be learned; `degraded`: a consumer reports a problem, or there are new dead letters.
 */
export async function checkHealth(sources: HealthSources): Promise<HealthReply> {
  const problems: string[] = [];
  const probe = async (name: string, ask: () => Promise<void>): Promise<Status> => {
    const problem = await problemOf(ask);
    if (problem !== null) problems.push(`${name}: ${problem}`);
    return problem === null ? "ok" : "down";
  };
  const consumers: Record<string, ConsumerFigures> = {};
  const asked = [...sources.consumers].map(async ([name, { figures, problem }]) => {
    let isPaused = false;
    const unreachable = await problemOf(async () => {
      const { paused = false, ...rest } = await figures();
      consumers[name] = rest;
      isPaused = paused;
    });
    const reported = problem() ?? unreachable ?? (isPaused ? "the durable is paused" : null);
    if (reported !== null) problems.push(`${name}: ${reported}`);
  });
  let letters: OpenLetters | null = null;
  const lookAtLetters = async () => {
    const unknown = await problemOf(async () => {
      letters = await sources.deadLetters();
    });
    const problem = unknown ?? (letters && newsOf(letters));
    if (problem !== null) problems.push(`dead letters: ${problem}`);
  };
  const [nats, postgres, kv] = await Promise.all([
    probe("nats", sources.nats),
    probe("postgres", sources.postgres),
    probe("kv", sources.kv),
    ...asked,
    lookAtLetters(),
  ]);
  const down = [nats, postgres, kv].includes("down");
  return {
    status: down ? "down" : problems.length > 0 ? "degraded" : "ok",
    instance: sources.instance,
    version: sources.version,
    uptime_seconds: Math.floor(process.uptime()),
    checks: { nats, postgres, kv, consumers, dead_letters: letters && wireLetters(letters) },
    problems,
  };
}

function newsOf({ open, newestAt }: OpenLetters): string | null {
  if (newestAt === null || newestAt < Date.now() - newsMs) return null;
  return `${open} not replayed, the newest of ${new Date(newestAt).toISOString()}`;
}

function wireLetters(letters: OpenLetters): Type.Static<typeof deadLettersSchema> {
  const { open, newestAt } = letters;
  const newest_at = newestAt === null ? null : new Date(newestAt).toISOString();
  return { open, newest_at, by_durable: openByDurable(letters) };
}

async function problemOf(ask: () => Promise<void>): Promise<string | null> {
  try {
    await withTimeout(ask(), probeMs, () => new Error(`no answer within ${probeMs} ms`));
    return null;
  } catch (error) {
    return messageOf(error);
  }
}

/** Health over request and reply: of any replica, and of this one by its instance id. */
export function health(sources: HealthSources): ConcernPart {
  const endpoint = (name: string) => ({
    name,
    request: null,
    reply: healthSchema,
    decode: () => null,
    handle: () => checkHealth(sources),
  });
  return { endpoints: [endpoint("health"), endpoint("health-instance")] };
}
