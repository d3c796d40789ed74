import { any } from "../extractor/signature.ts";
import { blockOverhead, lengthInBlock } from "./block.ts";
import type { Facts } from "./facts.ts";
import type { KnownLesson } from "./lesson.ts";

/** What an agent is about to do, and how much it wants to hear. */
export interface Asked {
  readonly agentId: string;
  readonly taskType?: string | undefined;
  readonly tool?: string | undefined;
  readonly provider?: string | undefined;
  readonly model?: string | undefined;
  readonly maxLessons: number;
  readonly maxChars: number;
  /** Epoch ms. */
  readonly now: number;
}

export type WhyOmitted =
  | "max_lessons"
  | "max_chars"
  | "silenced"
  | "expired"
  | "retired"
  | "dormant"
  | "held_out"
  | "already";

export interface Omitted {
  readonly lessonKey: string;
  readonly why: WhyOmitted;
}

export interface Choice {
  /** What fits, the most important first: these are exposed, in both arms of the coin. */
  readonly fitting: readonly KnownLesson[];
  readonly omitted: readonly Omitted[];
}

/** Why no run may be given it now; null: it may be. */
export function whyNotLive(
  { curation, epoch, expiresAt }: KnownLesson,
  now: number,
): WhyOmitted | null {
  if (expiresAt !== null && expiresAt <= now) return "expired";
  if (curation.expiresAt !== null && curation.expiresAt <= now) return "expired";
  if (curation.silencedUntil !== null && curation.silencedUntil > now) return "silenced";
  return epoch.state === "retired" || epoch.state === "dormant" ? epoch.state : null;
}

export function isPinned({ curation }: KnownLesson, now: number): boolean {
  return curation.pinnedUntil !== null && curation.pinnedUntil > now;
}

/** How near to what is asked: 0 the agent's task, 1 the agent in any task, 2 any agent. Null: not about it. */
export function tierOf(lesson: KnownLesson, asked: Asked): 0 | 1 | 2 | null {
  const { scope, agentId, taskType, signals } = lesson;
  const differs = (mine: string | undefined, theirs: string | undefined) =>
    mine !== undefined && theirs !== undefined && mine !== theirs;
  if (differs(signals.tool, asked.tool) || differs(signals.model, asked.model)) return null;
  if (differs(signals.provider, asked.provider)) return null;
  const isTask = taskType === asked.taskType || taskType === any;
  if (scope === "fleet") {
    if (agentId !== any && agentId !== asked.agentId) return null;
    // A rule leaves the task out; a person may name one.
    return isTask || lesson.lessonType !== "reviewed" || asked.taskType === undefined ? 2 : null;
  }
  if (agentId !== asked.agentId && agentId !== any) return null;
  return isTask ? 0 : 1;
}

/** Pinned, then proven to help by the lower end of the benefit, then the latest sighting, then the key. */
export function byImportance(now: number) {
  const benefit = ({ epoch }: KnownLesson) =>
    epoch.verdict === "helps" ? (epoch.benefit ?? 0) : -1;
  const pinned = (lesson: KnownLesson) =>
    lesson.curation.pinnedUntil === null ? 0 : Number(isPinned(lesson, now));
  return (a: KnownLesson, b: KnownLesson): number =>
    pinned(b) - pinned(a) ||
    benefit(b) - benefit(a) ||
    b.lastSeenAt - a.lastSeenAt ||
    (a.lessonKey < b.lessonKey ? -1 : 1);
}

/** The nearest first; in each the most important first. */
export type Tiers = readonly (readonly KnownLesson[])[];

/** Those of a tenant's lessons that are about what is asked. */
export function tiersOf(lessons: readonly KnownLesson[], asked: Asked): Tiers {
  const tiers: KnownLesson[][] = [[], [], []];
  for (const lesson of lessons) {
    const tier = tierOf(lesson, asked);
    if (tier !== null) tiers[tier]?.push(lesson);
  }
  const order = byImportance(asked.now);
  for (const tier of tiers) tier.sort(order);
  return tiers;
}

/** Epoch ms: until then time alone changes nothing about these. */
export function unchangedUntil(lessons: readonly KnownLesson[], now: number): number {
  let until = Number.POSITIVE_INFINITY;
  const ends = (at: number | null) => {
    if (at !== null && at > now && at < until) until = at;
  };
  for (const { expiresAt, curation } of lessons) {
    ends(expiresAt);
    ends(curation.expiresAt);
    ends(curation.silencedUntil);
    ends(curation.pinnedUntil);
  }
  return until;
}

/**
 * Chooses among the lessons of a tenant. Decided before any coin is read: whoever filled up what a coin left out, or cut
 * only what is attached, would compare runs that are not alike. Those that the run was exposed to before take no room,
 * whichever arm they are in.
 */
export function choose(
  tiers: Tiers,
  asked: Asked,
  exposedBefore: ReadonlySet<string>,
  facts: Facts,
): Choice {
  const room = createRoom(asked, facts);
  const omitted: Omitted[] = [];
  for (const tier of tiers) {
    // Widening stops when the caps are full.
    if (room.isFull()) break;
    for (const lesson of tier) {
      const { lessonKey } = lesson;
      if (exposedBefore.has(lessonKey)) continue;
      const why = whyNotLive(lesson, asked.now) ?? room.take(lesson);
      if (why !== null) omitted.push({ lessonKey, why });
    }
  }
  return { fitting: room.taken, omitted };
}

/** What fits into the caps, as lines that name all tools: whatever a coin takes away makes the block shorter. */
function createRoom({ maxLessons, maxChars }: Asked, facts: Facts) {
  const taken: KnownLesson[] = [];
  const families = new Map<string, KnownLesson[]>();
  let left = maxChars - blockOverhead;
  const cost = (family: readonly KnownLesson[]) => lengthInBlock(facts.longestOf(family));
  return {
    taken,
    isFull: () => taken.length >= maxLessons,
    take(lesson: KnownLesson): "max_lessons" | "max_chars" | null {
      if (taken.length >= maxLessons) return "max_lessons";
      const name = facts.familyOf(lesson) ?? lesson.lessonKey;
      const before = families.get(name) ?? [];
      const more = cost([...before, lesson]) - (before.length === 0 ? 0 : cost(before));
      if (more > left) return "max_chars";
      left -= more;
      families.set(name, [...before, lesson]);
      taken.push(lesson);
      return null;
    },
  };
}

/** One line a family, in the order of the most important of each. */
export function linesOf(lessons: readonly KnownLesson[], facts: Facts): string[] {
  const families = new Map<string, KnownLesson[]>();
  for (const lesson of lessons) {
    const name = facts.familyOf(lesson) ?? lesson.lessonKey;
    families.set(name, [...(families.get(name) ?? []), lesson]);
  }
  return [...families.values()].map((family) => facts.lineOf(family));
}
