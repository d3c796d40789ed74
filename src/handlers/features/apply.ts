import { BusError, isRefusal } from "../../errors.ts";
import type { Logger } from "../../log.ts";
import { defaultEventIdOf, type StoredMessage } from "../../runtime/delivery.ts";
import type { Upkeep } from "../../runtime/maintenance.ts";
import { dealSlices, storeSlices } from "../../runtime/slices.ts";
import { tenantSchema } from "../../schema/request.ts";
import { Type } from "../../schema/typebox.ts";
import type { ConcernPart } from "../concern.ts";
import { endpoint } from "../endpoint.ts";
import type { UserEvent } from "./event.ts";
import { changesBy, countConflicts, distinct, userKey } from "./fold.ts";
import type { FeatureMetrics } from "./metrics.ts";
import type { FeatureRow, FeatureStore, UserKey } from "./ports.ts";
import { decodeUserEvent } from "./wire.ts";

/** The most users that one request may ask for. */
const maxUsersPerRequest = 1_000;

const userSchema = Type.String({ minLength: 1, maxLength: 128 });
const getSchema = Type.Object({ tenant_id: tenantSchema, user_id: userSchema });
const batchSchema = Type.Object({
  tenant_id: tenantSchema,
  user_ids: Type.Array(userSchema, { maxItems: maxUsersPerRequest }),
});

const rowSchema = Type.Object({
  tenant_id: Type.String(),
  user_id: Type.String(),
  features: Type.Record(Type.String(), Type.Unknown(), { description: "a part for each mapper" }),
  version: Type.Integer({ description: "how many events are in it" }),
  updated_at: Type.String({ description: "ISO 8601" }),
  last_event_at: Type.String({ description: "ISO 8601: event time of the newest" }),
});

const batchReplySchema = Type.Object({
  rows: Type.Array(rowSchema),
  missing: Type.Array(Type.String(), { description: "the users that have no row" }),
});

export interface FeaturesOptions {
  /** The durables that bring signals and feedback. */
  readonly sources: readonly { readonly stream: string; readonly durable: string }[];
  readonly maxFutureMs: number;
  /** What is done about an event of that stream whose producer's clock was not set. */
  readonly onUnsetTime: (stream: string) => () => void;
  readonly store: FeatureStore & {
    readonly find: (users: readonly UserKey[]) => Promise<FeatureRow[]>;
  };
  readonly metrics: FeatureMetrics;
  readonly log: Logger;
}

/** Keeps a feature row per user up to date from signals and feedback, and hands the rows out. */
export function features({
  sources,
  maxFutureMs,
  onUnsetTime: onUnsetTimeOf,
  store,
  metrics,
  log,
}: FeaturesOptions): ConcernPart {
  function decoderFor(stream: string) {
    const onUnsetTime = onUnsetTimeOf(stream);
    return (message: StoredMessage): UserEvent => {
      try {
        const { storedAt } = message;
        const known = { storedAt, maxFutureMs, onUnsetTime };
        const context = { ...known, defaultEventId: defaultEventIdOf(message) };
        return decodeUserEvent(message.data, message.subject, context);
      } catch (error) {
        if (isRefusal(error)) metrics.featureEvents.inc({ outcome: "invalid" });
        throw error;
      }
    };
  }

  async function handle(events: readonly UserEvent[]): Promise<void> {
    const { applied, conflicts } = await applySliced(events, store);
    const now = Date.now();
    metrics.featureEvents.inc({ outcome: "applied" }, applied.length);
    metrics.featureEvents.inc({ outcome: "conflict" }, conflicts);
    const duplicates = events.length - applied.length - conflicts;
    metrics.featureEvents.inc({ outcome: "duplicate" }, duplicates);
    for (const { storedAt } of applied) {
      metrics.featureDelay.observe(Math.max(0, now - storedAt) / 1_000);
    }
    if (applied.length === 0) return;
    const users = [...new Set(applied.map(({ userId }) => userId))];
    const types = [...new Set(applied.map(({ type }) => type))];
    const named = { users: users.slice(0, mostNamed), types: types.slice(0, mostNamed) };
    log.info({ ...named, events: applied.length, user_count: users.length }, "features updated");
  }

  async function find(tenantId: string, userIds: readonly string[]) {
    const rows = await store.find([...new Set(userIds)].map((userId) => ({ tenantId, userId })));
    return rows.map(wireRow);
  }

  return {
    endpoints: [
      endpoint({
        name: "features-get",
        request: getSchema,
        reply: rowSchema,
        async handle({ tenant_id = "default", user_id }: Type.Static<typeof getSchema>) {
          const [row] = await find(tenant_id, [user_id]);
          if (row === undefined) throw new BusError("not_found", "this user has no features yet");
          return row;
        },
      }),
      endpoint({
        name: "features-batch",
        request: batchSchema,
        reply: batchReplySchema,
        async handle({ tenant_id = "default", user_ids }: Type.Static<typeof batchSchema>) {
          const rows = await find(tenant_id, user_ids);
          const there = new Set(rows.map((row) => row.user_id));
          return { rows, missing: user_ids.filter((user) => !there.has(user)) };
        },
      }),
    ],
    consumptions: sources.map((source) => ({
      ...source,
      decode: decoderFor(source.stream),
      handle,
    })),
  };
}

/** A log line names so many users and types at most. */
const mostNamed = 20;

interface AppliedEvents {
  readonly applied: readonly UserEvent[];
  readonly conflicts: number;
}

/** One connection waits for most of its time; with two, the next statement is made while one is under way. */
const writers = 2;

/** As `applyEvents`, by two writers: all events of one user are with one of them. */
export async function applySliced(
  events: readonly UserEvent[],
  store: FeatureStore,
): Promise<AppliedEvents> {
  const slices = dealSlices(events, writers, userKey);
  const each = await storeSlices(slices, (slice) => applyEvents(slice, store));
  return {
    applied: each.flatMap(({ applied }) => applied),
    conflicts: each.reduce((sum, { conflicts }) => sum + conflicts, 0),
  };
}

/**
 * Resolves to the events that were not applied before, once each is in its user's row with its proof, and to how many
 * of the others say something else than what was applied under their id. It may be called again for the same events, at
 * any time, by any replica. Where another replica was faster with a row, or with an event, it reads again what that
 * one has written.
 */
export async function applyEvents(
  events: readonly UserEvent[],
  store: FeatureStore,
): Promise<AppliedEvents> {
  const done: UserEvent[] = [];
  let left = distinct(events);
  let conflicts = countConflicts(events, left);
  while (left.length > 0) {
    const { rows, applied, conflicting } = await store.read(left);
    conflicts += conflicting.size;
    const changes = changesBy(
      left.filter((event) => !applied.has(event)),
      rows,
    );
    const written = changes.length > 0 ? await store.write(changes) : new Set();
    left = [];
    for (const change of changes) (written.has(change) ? done : left).push(...change.events);
  }
  return { applied: done, conflicts };
}

function wireRow(row: FeatureRow): Type.Static<typeof rowSchema> {
  return {
    tenant_id: row.tenantId,
    user_id: row.userId,
    features: row.features,
    version: row.version,
    updated_at: new Date(row.updatedAt).toISOString(),
    last_event_at: new Date(row.lastEventAt).toISOString(),
  };
}

/** So many proofs go in one statement: short locks, little to do again. */
const proofsAtOnce = 5_000;

/** Proofs older than `dedupDays` are removed: the same event is a new one after that. */
export function proofRemoval(
  store: { readonly removeProofs: (before: Date, most: number) => Promise<number> },
  dedupDays: number,
  log: Logger,
): Upkeep {
  return {
    name: "removing old proofs of applied events",
    async run(signal) {
      const before = new Date(Date.now() - dedupDays * 86_400_000);
      let removed = 0;
      let last: number;
      do {
        last = await store.removeProofs(before, proofsAtOnce);
        removed += last;
      } while (last === proofsAtOnce && !signal.aborted);
      if (removed > 0) log.info({ removed, before }, "old proofs of applied events removed");
    },
  };
}
