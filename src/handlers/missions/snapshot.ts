import { groupBy } from "../../runtime/grouping.ts";
import { type Change, type RecordKey, recordKey } from "./change.ts";

/** Which write a field's value comes from. */
export interface FieldWrite {
  /** ISO 8601, with milliseconds. */
  readonly time: string;
  readonly event_id: string;
}

/** A record as its changes make it. */
export interface Snapshot {
  readonly record: Readonly<Record<string, unknown>>;
  readonly fieldMeta: Readonly<Record<string, FieldWrite>>;
  readonly deleted: boolean;
}

const nothing: Snapshot = { record: {}, fieldMeta: {}, deleted: false };

/**
 * What a snapshot is once these changes are applied. Pure, and the definition of the snapshots' tables: each field has
 * the value of the newest write by time, then by event id; once deleted, a record stays so. It is a function of the set
 * of all changes: their order, repetitions, and how they are split into calls make no difference.
 */
export function fold(before: Snapshot | undefined, changes: Iterable<Change>): Snapshot {
  const { record, fieldMeta, deleted } = before ?? nothing;
  const after = { record: { ...record }, fieldMeta: { ...fieldMeta }, deleted };
  for (const change of changes) {
    after.deleted ||= change.op === "delete";
    for (const [field, value] of Object.entries(change.data)) {
      const write = { time: timeOf(change, field), event_id: change.eventId };
      const known = Object.hasOwn(after.fieldMeta, field) ? after.fieldMeta[field] : undefined;
      if (known && !wins(write, value, known, after.record[field])) continue;
      after.record[field] = value;
      after.fieldMeta[field] = write;
    }
  }
  return after;
}

function timeOf({ fieldTimes, ts }: Change, field: string): string {
  return (Object.hasOwn(fieldTimes, field) && fieldTimes[field]) || ts;
}

/** Two values of one write are a producer's mistake; the greater one counts, whichever comes first. */
function wins(next: FieldWrite, value: unknown, known: FieldWrite, knownValue: unknown): boolean {
  if (next.time !== known.time) return next.time > known.time;
  if (next.event_id !== known.event_id) return next.event_id > known.event_id;
  return canonical(value) > canonical(knownValue);
}

/** JSON with sorted keys: PostgreSQL keeps the keys of an object in an order of its own. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, one: unknown) => {
    if (typeof one !== "object" || one === null || Array.isArray(one)) return one;
    return Object.fromEntries(Object.entries(one).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}

/** Whether the later one says anything else than the earlier one. */
export function differs(before: Snapshot | undefined, after: Snapshot): boolean {
  if (before === undefined || before.deleted !== after.deleted) return true;
  return (
    canonical(before.fieldMeta) !== canonical(after.fieldMeta) ||
    canonical(before.record) !== canonical(after.record)
  );
}

/** A snapshot as it is stored. */
export interface StoredSnapshot extends RecordKey, Snapshot {
  /** Grows by one with each write; the token of compare-and-set. */
  readonly version: number;
}

/** A snapshot as it is to be, and what it was read at; 0: there was none. */
export interface SnapshotChange extends RecordKey {
  readonly before: number;
  readonly after: Snapshot;
  readonly changes: readonly Change[];
}

/** One for each record that these changes make another one. */
export function changedBy(
  changes: readonly Change[],
  stored: readonly StoredSnapshot[],
): SnapshotChange[] {
  const known = new Map(stored.map((one) => [recordKey(one), one]));
  return [...groupBy(changes, recordKey)].flatMap(([key, those]) => {
    const [first] = those;
    const before = known.get(key);
    const after = fold(before, those);
    if (first === undefined || !differs(before, after)) return [];
    const { tenantId, userId, table, recordId } = first;
    const of = { tenantId, userId, table, recordId };
    return [{ ...of, before: before?.version ?? 0, after, changes: those }];
  });
}
