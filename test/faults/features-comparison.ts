import { isDeepStrictEqual } from "node:util";
import { isRefusal } from "../../src/errors.ts";
import type { UserEvent } from "../../src/handlers/features/event.ts";
import { fold } from "../../src/handlers/features/fold.ts";
import { decodeUserEvent } from "../../src/handlers/features/wire.ts";
import { deadLetterHeaders } from "../../src/runtime/dead-letter-message.ts";
import { defaultEventIdOf, identityOf } from "../../src/runtime/delivery.ts";
import type { Broker } from "../rig/broker.ts";
import type { TestDatabase } from "../rig/database.ts";
import { compare, storedMessages } from "./comparison.ts";

/** The streams that features are made of, each with the durable that reads it. */
export const featureSources = [
  { stream: "SIGNALS", durable: "feature-pipeline-signals" },
  { stream: "FEEDBACK", durable: "feature-pipeline-feedback" },
] as const;

/** What the contract's default is. */
const maxFutureMs = 300_000;

export interface FeatureComparison {
  readonly messages: number;
  readonly invalid: number;
  /** Messages whose event has been in a stream before. */
  readonly repeats: number;
  readonly users: number;
  readonly deadLetters: readonly FeatureDeadLetter[];
  /** Empty when each event is in its user's row once, and nothing else is; else a line for each that is wrong. */
  readonly differences: readonly string[];
}

export interface FeatureDeadLetter {
  readonly stream: string;
  readonly durable: string;
  readonly sequence: number;
  readonly code: string;
  readonly reason: string;
  readonly attempts: number;
}

interface Content {
  readonly events: readonly UserEvent[];
  /** `<stream> <sequence>` → why it must be a dead letter. */
  readonly refused: ReadonlyMap<string, string>;
  readonly invalid: number;
}

const textOf = (parts: readonly string[]) => JSON.stringify(parts);

/** `isDeadLetter`: valid events that must end as a dead letter all the same. */
export async function compareFeatures(
  broker: Broker,
  { sql }: TestDatabase,
  isDeadLetter: (event: UserEvent) => boolean = () => false,
): Promise<FeatureComparison> {
  const { events, refused, invalid } = await content(broker, isDeadLetter);
  const distinct = new Map<string, UserEvent>();
  for (const event of events) {
    const id = textOf([event.tenantId, event.userId, event.eventId]);
    if (!distinct.has(id)) distinct.set(id, event);
  }
  const byUser = new Map<string, UserEvent[]>();
  for (const event of distinct.values()) {
    const user = textOf([event.tenantId, event.userId]);
    byUser.set(user, [...(byUser.get(user) ?? []), event]);
  }
  const proofs = await sql<{ tenant_id: string; user_id: string; event_id: string }[]>`
    SELECT tenant_id, user_id, event_id FROM feature_events`;
  const deadLetters = await featureDeadLetters(broker);
  const letters = deadLetters.map(({ stream, sequence }) => `${stream} ${sequence}`);
  return {
    messages: events.length + refused.size,
    invalid,
    repeats: events.length - distinct.size,
    users: byUser.size,
    deadLetters,
    differences: [
      ...(await rowDifferences(sql, byUser)),
      ...compare(
        "proof",
        new Set(distinct.keys()),
        proofs.map((proof) => textOf([proof.tenant_id, proof.user_id, proof.event_id])),
        (id) => id,
      ),
      ...compare(
        "dead letter",
        new Set(refused.keys()),
        letters,
        (place) => `of ${place} (${refused.get(place) ?? "an event to be applied"})`,
      ),
    ],
  };
}

/** Every row must be the fold of its user's events, in whatever order they were applied. */
async function rowDifferences(
  sql: TestDatabase["sql"],
  byUser: ReadonlyMap<string, readonly UserEvent[]>,
): Promise<string[]> {
  const rows = await sql<
    {
      tenant_id: string;
      user_id: string;
      features: object;
      version: string;
      last_event_at: Date;
    }[]
  >`SELECT * FROM user_features`;
  const users = rows.map((row) => textOf([row.tenant_id, row.user_id]));
  const wrong = rows.flatMap((row, i) => {
    const events = byUser.get(users[i] ?? "");
    if (!events) return [];
    const { features, version, lastEventAt } = fold(undefined, events);
    const expected = { version, at: new Date(lastEventAt).toISOString() };
    const actual = { version: Number(row.version), at: row.last_event_at.toISOString() };
    const wanted: unknown = JSON.parse(JSON.stringify(features));
    const whose = `of ${row.tenant_id}/${row.user_id}`;
    return [
      ...(actual.version === version
        ? []
        : [`version ${actual.version} instead of ${version} ${whose}`]),
      ...(actual.at === expected.at
        ? []
        : [`last_event_at ${actual.at} instead of ${expected.at} ${whose}`]),
      ...(isDeepStrictEqual(row.features, wanted)
        ? []
        : [
            `features ${JSON.stringify(row.features)} instead of ${JSON.stringify(wanted)} ${whose}`,
          ]),
    ];
  });
  return [...compare("row", new Set(byUser.keys()), users, (user) => user), ...wrong];
}

/** Of both streams, as the service reads them, in the order in which they were stored. */
async function content(
  broker: Broker,
  isDeadLetter: (event: UserEvent) => boolean,
): Promise<Content> {
  const events: UserEvent[] = [];
  const refused = new Map<string, string>();
  let invalid = 0;
  for (const { stream } of featureSources) {
    const { created } = await broker.jsm.streams.info(stream);
    for (const message of await storedMessages(broker, stream)) {
      const { seq, data, subject, storedAt } = message;
      const identity = identityOf(created, seq);
      try {
        const defaultEventId = defaultEventIdOf({ ...message, identity });
        const event = decodeUserEvent(data, subject, { storedAt, maxFutureMs, defaultEventId });
        if (isDeadLetter(event)) refused.set(`${stream} ${seq}`, `about ${event.userId}`);
        else events.push(event);
      } catch (error) {
        if (!isRefusal(error)) throw error;
        refused.set(`${stream} ${seq}`, error.message);
        invalid += 1;
      }
    }
  }
  events.sort((a, b) => a.storedAt - b.storedAt);
  return { events, refused, invalid };
}

export async function featureDeadLetters(broker: Broker): Promise<FeatureDeadLetter[]> {
  const letters = await storedMessages(broker, "DEAD_LETTERS");
  return letters.map(({ header }) => ({
    stream: header(deadLetterHeaders.stream),
    durable: header(deadLetterHeaders.durable),
    sequence: Number(header(deadLetterHeaders.sequence)),
    code: header(deadLetterHeaders.code),
    reason: header(deadLetterHeaders.reason),
    attempts: Number(header(deadLetterHeaders.attempts)),
  }));
}
