import { any } from "../extractor/signature.ts";
import type { KnownLesson } from "./lesson.ts";

/** What recall knows of the tables: by tenant and agent, at most `most` lessons. */
export interface LessonMemory {
  readonly size: number;
  put(lesson: KnownLesson): void;
  forget(lessonKey: string): void;
  get(lessonKey: string): KnownLesson | undefined;
  /** Those of the agent, and those of any: the same list for as long as they stay the same. */
  concerning(tenantId: string, agentId: string): readonly KnownLesson[];
}

/** Where lessons are looked for. */
interface Place {
  readonly lessons: Map<string, KnownLesson>;
  /** Those in a list; null: one came or went since it was made. */
  list: readonly KnownLesson[] | null;
  /** The list with those of any agent; null: as above. */
  together: { readonly all: readonly KnownLesson[]; readonly list: readonly KnownLesson[] } | null;
}

/** More than that, and those that were seen longest ago go. */
const overfullBy = 1.01;

const none: readonly KnownLesson[] = [];

export function createMemory(most: number): LessonMemory {
  const byKey = new Map<string, KnownLesson>();
  const byPlace = new Map<string, Place>();
  const placeOf = (tenantId: string, agentId: string) => JSON.stringify([tenantId, agentId]);
  const placeOfLesson = ({ tenantId, scope, agentId }: KnownLesson) =>
    placeOf(tenantId, scope === "fleet" ? any : agentId);

  function remove(lesson: KnownLesson): void {
    byKey.delete(lesson.lessonKey);
    const place = placeOfLesson(lesson);
    const there = byPlace.get(place);
    if (there === undefined) return;
    there.lessons.delete(lesson.lessonKey);
    forgetLists(there);
    if (there.lessons.size === 0) byPlace.delete(place);
  }

  function listAt(place: Place | undefined): readonly KnownLesson[] {
    if (place === undefined) return none;
    place.list ??= [...place.lessons.values()];
    return place.list;
  }

  function forgetOldest(): void {
    const all = [...byKey.values()].sort((a, b) => a.lastSeenAt - b.lastSeenAt);
    for (const lesson of all.slice(0, all.length - most)) remove(lesson);
  }

  return {
    get size() {
      return byKey.size;
    },
    put(lesson) {
      const before = byKey.get(lesson.lessonKey);
      // What is said of it is kept for as long as it stays the same.
      if (before !== undefined && textOf(before) === textOf(lesson)) return;
      if (before !== undefined) remove(before);
      byKey.set(lesson.lessonKey, lesson);
      const place = placeOfLesson(lesson);
      const there = byPlace.get(place) ?? { lessons: new Map(), list: null, together: null };
      there.lessons.set(lesson.lessonKey, lesson);
      forgetLists(there);
      byPlace.set(place, there);
      if (byKey.size > most * overfullBy) forgetOldest();
    },
    forget(lessonKey) {
      const lesson = byKey.get(lessonKey);
      if (lesson !== undefined) remove(lesson);
    },
    get: (lessonKey) => byKey.get(lessonKey),
    concerning(tenantId, agentId) {
      const place = byPlace.get(placeOf(tenantId, agentId));
      const all = agentId === any ? none : listAt(byPlace.get(placeOf(tenantId, any)));
      if (place === undefined) return all;
      const own = listAt(place);
      if (all.length === 0) return own;
      if (place.together?.all !== all) place.together = { all, list: [...own, ...all] };
      return place.together.list;
    },
  };
}

function forgetLists(place: Place): void {
  place.list = null;
  place.together = null;
}

/** JSON writes "for ever" (infinity) as null, which is "not at all" here. */
function textOf(lesson: KnownLesson): string {
  return JSON.stringify(lesson, (_, value: unknown) =>
    value === Number.POSITIVE_INFINITY ? "for ever" : value,
  );
}
