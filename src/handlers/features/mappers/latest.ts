import type { UserEvent } from "../event.ts";

/** A value that only the newest event decides; `at` is ISO 8601. */
export type Latest<T extends object = object> = T & {
  readonly at: string;
  readonly event_id: string;
};

/**
 * The newer of what is known and what this event says: event time decides, then the event id, so that
 * the order in which events arrive makes no difference.
 */
export function latest<T extends object>(
  known: Latest<T> | undefined,
  event: UserEvent,
  value: T,
): Latest<T> {
  const next = { ...value, at: new Date(event.ts).toISOString(), event_id: event.eventId };
  if (known === undefined || next.at > known.at) return next;
  return next.at === known.at && next.event_id > known.event_id ? next : known;
}
