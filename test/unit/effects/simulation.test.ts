import { expect, test } from "vitest";
import { type Counts, evidenceOf } from "../../../src/handlers/effects/e-value.ts";
import { nextEpoch } from "../../../src/handlers/effects/next-epoch.ts";
import { standingsOf } from "../../../src/handlers/effects/standing.ts";
import {
  logEOfNone,
  logEOfSome,
  verdictOfEvidence,
} from "../../../src/handlers/effects/verdict.ts";
import type { EpochState, Verdict } from "../../../src/handlers/lessons/lesson.ts";
import { byHorizon, horizon, type Run, randomFrom, runOf, type World } from "./fleet.ts";

const alpha = 0.05;
const repetitions = 200;
const runsEach = 500;
const looksEvery = 25;
const ratios = [
  ...Array.from({ length: 10 }, () => 0.5),
  ...Array.from({ length: 5 }, () => 2),
  ...Array.from({ length: 25 }, () => 1),
];

interface Finding {
  readonly verdict: Verdict;
  readonly logE: number;
  readonly logESome: number;
}

/** A lesson in its fleet, with the counts of what has been settled. */
interface Lesson {
  readonly world: World;
  share: number;
  state: EpochState;
  given: Verdict;
  /** Exposed, and not counted yet. */
  pending: Run[];
  readonly counts: Map<number, { share: number; attached: number; heldOut: number }>;
  /** What its counts say; null: they have changed since. */
  finding: Finding | null;
  /** What it has ever been called. */
  readonly called: Set<Verdict>;
}

function lessonOf(ratio: number, seed: number): Lesson {
  const random = randomFrom(seed);
  const world = { ratio, random, base: 0.15 + 0.3 * random() };
  return {
    ...{ world, share: 0.5, state: "trial", given: "insufficient_data", pending: [] },
    ...{ finding: null, counts: new Map(), called: new Set<Verdict>() },
  };
}

/** Late ones are counted with the look after their horizon; what comes twice is one run. */
function settle(lesson: Lesson, now: number): void {
  const left: Run[] = [];
  for (const run of lesson.pending) {
    const outcome = byHorizon(run, now);
    if (outcome === null) left.push(run);
    if (outcome !== true) continue;
    const { share, attached } = run;
    const known = lesson.counts.get(share) ?? { share, attached: 0, heldOut: 0 };
    known[attached ? "attached" : "heldOut"]++;
    lesson.counts.set(share, known);
    lesson.finding = null;
  }
  lesson.pending = left;
}

function findingOf(counts: readonly Counts[]): Finding {
  const evidence = evidenceOf(counts);
  const verdict = verdictOfEvidence(evidence, alpha);
  return { verdict, logE: logEOfNone(evidence), logESome: logEOfSome(evidence) };
}

function look(lessons: readonly Lesson[]): void {
  const judged = lessons.map((lesson) => {
    lesson.finding ??= findingOf([...lesson.counts.values()]);
    return { ...lesson.finding, given: lesson.given, coin: 0, loss: 0, withoutTrial: false };
  });
  const standings = standingsOf(judged, { coinBroken: false, lossBroken: false }, alpha);
  for (const [i, lesson] of lessons.entries()) {
    const standing = standings[i] ?? { verdict: "insufficient_data", withheld: null };
    lesson.called.add(standing.verdict);
    const alone = judged[i]?.verdict ?? "insufficient_data";
    const known = { verdict: alone, sinceWaking: standing.verdict, obsoleteAfter: null, high: 0.9 };
    const next = nextEpoch(lesson, known, standing, { provenShare: 0.9 });
    if (next === null) continue;
    lesson.share = next.share;
    lesson.state = next.state;
    lesson.given = next.verdict;
  }
}

test("of 40 lessons over 200 fleets hardly any that does nothing gets a verdict, and those that do something get theirs", () => {
  const called = { helps: 0, harms: 0, nothing: 0, anyOfFleet: 0 };
  for (let fleet = 1; fleet <= repetitions; fleet++) {
    const lessons = ratios.map((ratio, i) => lessonOf(ratio, fleet * 1_000 + i));
    for (let now = 0; now < runsEach; now++) {
      for (const lesson of lessons) {
        if (lesson.share > 0) lesson.pending.push(runOf(now, lesson.share, lesson.world));
      }
      if (now % looksEvery !== looksEvery - 1) continue;
      for (const lesson of lessons) settle(lesson, now);
      look(lessons);
    }
    for (const lesson of lessons) settle(lesson, runsEach + horizon);
    look(lessons);
    const isCalled = ({ called: all }: Lesson) => all.has("helps") || all.has("harms");
    called.helps += lessons.slice(0, 10).filter(({ called: all }) => all.has("helps")).length;
    called.harms += lessons.slice(10, 15).filter(({ called: all }) => all.has("harms")).length;
    called.nothing += lessons.slice(15).filter(isCalled).length;
    if (lessons.slice(15).some(isCalled)) called.anyOfFleet++;
  }
  const shares = {
    helps: called.helps / (10 * repetitions),
    harms: called.harms / (5 * repetitions),
    nothing: called.nothing / (25 * repetitions),
    anyOfFleet: called.anyOfFleet / repetitions,
  };
  console.info(JSON.stringify(shares));
  expect(shares.nothing).toBeLessThanOrEqual(0.05);
  expect(shares.helps).toBeGreaterThan(0.5);
  expect(shares.harms).toBeGreaterThan(0.5);
}, 240_000);
