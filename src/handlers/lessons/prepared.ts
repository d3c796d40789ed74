import { LRUCache } from "lru-cache";
import { type Asked, type Choice, choose, type Tiers, tiersOf, unchangedUntil } from "./choice.ts";
import type { Facts } from "./facts.ts";
import type { KnownLesson } from "./lesson.ts";

/** What is asked over and over, worked out once for as long as the lessons stay the same. */
export interface Prepared {
  readonly tiers: Tiers;
  /** For a run that was told nothing before. */
  readonly choice: Choice;
}

interface Entry extends Prepared {
  /** Of which it was made: memory makes a new list of lessons that changed. */
  readonly lessons: readonly KnownLesson[];
  /** Epoch ms; by then one expires, or is silenced or pinned no more. */
  readonly until: number;
}

const mostKept = 2_048;
/** Lessons in what is kept, however many agents ask. */
const mostLessons = 200_000;

export function prepareChoices(facts: Facts) {
  const entries = new LRUCache<string, Entry>({
    ...{ max: mostKept, maxSize: mostLessons },
    sizeCalculation: ({ tiers }) => 1 + tiers.reduce((sum, tier) => sum + tier.length, 0),
  });

  return (tenantId: string, lessons: readonly KnownLesson[], asked: Asked): Prepared => {
    const key = keyOf(tenantId, asked);
    const found = entries.get(key);
    if (found !== undefined && found.lessons === lessons && asked.now < found.until) return found;
    const tiers = tiersOf(lessons, asked);
    const made: Entry = {
      tiers,
      choice: choose(tiers, asked, nothing, facts),
      lessons,
      until: unchangedUntil(lessons, asked.now),
    };
    entries.set(key, made);
    return made;
  };
}

const nothing: ReadonlySet<string> = new Set();

/** Everything that a choice depends on, besides the lessons and the time. */
function keyOf(tenantId: string, asked: Asked): string {
  const { agentId, taskType, tool, provider, model, maxLessons, maxChars } = asked;
  return JSON.stringify([tenantId, agentId, taskType, tool, provider, model, maxLessons, maxChars]);
}
