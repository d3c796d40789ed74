import { hash } from "node:crypto";
import { firstBy, groupBy } from "../../runtime/grouping.ts";
import type { UserEvent } from "./event.ts";
import { mapperOf } from "./mappers/index.ts";
import type { FeatureChange, FeatureRow, UserKey } from "./ports.ts";

/** What is kept of one user, without the columns that the database fills. */
export interface UserFeatures {
  readonly features: Readonly<Record<string, object>>;
  /** How many events are in it. */
  readonly version: number;
  /** Event time of the newest, epoch ms. */
  readonly lastEventAt: number;
}

const nothing: UserFeatures = { features: {}, version: 0, lastEventAt: Number.NEGATIVE_INFINITY };

/**
 * What a row is once these events, none of them in it yet, are applied. Pure, and the definition of the
 * table: a user's row is the fold of all of the user's events, in any order.
 */
export function fold(row: UserFeatures | undefined, events: Iterable<UserEvent>): UserFeatures {
  let { features, version, lastEventAt } = row ?? nothing;
  for (const event of events) {
    const { feature, apply } = mapperOf(event.subject);
    features = { ...features, [feature]: apply(features[feature], event) };
    version += 1;
    lastEventAt = Math.max(lastEventAt, event.ts);
  }
  return { features, version, lastEventAt };
}

/** Each event once: of those with one id of one user, the first. */
export function distinct(events: readonly UserEvent[]): UserEvent[] {
  return firstBy(events, identityOf);
}

/** How many bear the id of an earlier one of that user, and say something else; `once` are these events, each once. */
export function countConflicts(
  events: readonly UserEvent[],
  once: readonly UserEvent[] = distinct(events),
): number {
  if (once.length === events.length) return 0;
  const first = new Map(once.map((event) => [identityOf(event), event]));
  return events.filter((event) => {
    const known = first.get(identityOf(event)) ?? event;
    return known !== event && contentOf(known) !== contentOf(event);
  }).length;
}

/** An id is its user's: two users may both count 1, 2, 3. */
function identityOf({ tenantId, userId, eventId }: UserEvent): string {
  return JSON.stringify([tenantId, userId, eventId]);
}

/** Asked for when an event's proof is looked for, and when it is written. */
const contents = new WeakMap<UserEvent, string>();

/** A hash of what an event says. Its time is left out: one without a time of its own bears another when it comes again. */
export function contentOf(event: UserEvent): string {
  const known = contents.get(event);
  if (known !== undefined) return known;
  const { subject, type, payload } = event;
  const text = JSON.stringify([subject, type, payload]);
  const content = hash("sha256", text, "base64").slice(0, 22);
  contents.set(event, content);
  return content;
}

/** One change for each user that the events are about; `rows` are the users' rows so far. */
export function changesBy(
  events: readonly UserEvent[],
  rows: readonly FeatureRow[],
): FeatureChange[] {
  const known = new Map(rows.map((row) => [userKey(row), row]));
  return [...groupBy(events, userKey)].map(([key, those]) => {
    const row = known.get(key);
    const [{ tenantId, userId }] = those as [UserEvent];
    const after = fold(row, those);
    return { tenantId, userId, before: row?.version ?? 0, after, events: those };
  });
}

/** Of a user among those of all tenants, for maps. */
export const userKey = ({ tenantId, userId }: UserKey) => JSON.stringify([tenantId, userId]);
