import { any } from "../extractor/signature.ts";
import type { KnownLesson } from "./lesson.ts";

/** What recall knows of the tables: by tenant and agent, at most `most` lessons. */
export interface LessonMemory {
  readonly size: number;
  put(lesson: KnownLesson): void;
  forget(lessonKey: string): void;
  get(lessonKey: string): KnownLesson | undefined;
  /** Those of the agent, and those of any. */
  concerning(tenantId: string, agentId: string): KnownLesson[];
}

/** More than that, and those that were seen longest ago go. */
const overfullBy = 1.01;

export function createMemory(most: number): LessonMemory {
  const byKey = new Map<string, KnownLesson>();
  const byPlace = new Map<string, Map<string, KnownLesson>>();
  const placeOf = (tenantId: string, agentId: string) => JSON.stringify([tenantId, agentId]);
  const placeOfLesson = ({ tenantId, scope, agentId }: KnownLesson) =>
    placeOf(tenantId, scope === "fleet" ? any : agentId);

  function remove(lesson: KnownLesson): void {
    byKey.delete(lesson.lessonKey);
    const place = placeOfLesson(lesson);
    const there = byPlace.get(place);
    there?.delete(lesson.lessonKey);
    if (there?.size === 0) byPlace.delete(place);
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
      if (before !== undefined) remove(before);
      byKey.set(lesson.lessonKey, lesson);
      const place = placeOfLesson(lesson);
      const there = byPlace.get(place) ?? new Map<string, KnownLesson>();
      byPlace.set(place, there.set(lesson.lessonKey, lesson));
      if (byKey.size > most * overfullBy) forgetOldest();
    },
    forget(lessonKey) {
      const lesson = byKey.get(lessonKey);
      if (lesson !== undefined) remove(lesson);
    },
    get: (lessonKey) => byKey.get(lessonKey),
    concerning(tenantId, agentId) {
      const places = new Set([placeOf(tenantId, agentId), placeOf(tenantId, any)]);
      return [...places].flatMap((place) => [...(byPlace.get(place)?.values() ?? [])]);
    },
  };
}
