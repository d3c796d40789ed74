import { readFileSync } from "node:fs";
import { BusError, messageOf } from "../../errors.ts";
import { namesOf } from "../../runtime/consumers.ts";
import { exposures } from "../../subjects.ts";
import { openAttempts, probeAttempts } from "../attempts.ts";
import type { ConcernContext, RunningConcern } from "../concern.ts";
import { exposureConsumption } from "./consume.ts";
import { lessonEndpoints } from "./endpoints.ts";
import { factsIn } from "./facts.ts";
import { followLessons } from "./follow.ts";
import { openLedger } from "./ledger.ts";
import { openLessonReader } from "./lesson-reader.ts";
import { createMemory } from "./memory.ts";
import { type LessonMetrics, recallOutcomes } from "./metrics.ts";
import { openRecall } from "./recall.ts";
import { openRecorder } from "./record.ts";
import { developmentCoinKey, type LessonSettings } from "./settings.ts";
import { openExposureTables, openLessonTables } from "./store.ts";
import { parseWords, vocabularyOf } from "./vocabulary.ts";
import { wordingOf } from "./wording.ts";

/** Some 150 MB of memory at most. */
const mostLessons = 100_000;

export async function openLessons(
  context: ConcernContext<LessonSettings, LessonMetrics>,
): Promise<RunningConcern> {
  const { opened, settings, metrics, log, desired } = context;
  const { database, js, jsm } = opened;
  const memory = createMemory(mostLessons);
  const facts = factsIn(wordingOf(vocabularyOf(wordsFrom(settings.lessonWordsFile))));
  const following = followLessons({
    ...{ tables: openLessonTables(database), memory, most: mostLessons, log },
    trialShare: settings.lessonTrialShare,
  });
  const attempts = await openAttempts(context, exposures.durable);
  await context.whenThere(() => following.refresh());
  const recall = openRecall({
    ...{ memory, recorder: openRecorder(js, jsm), facts, log },
    coinKey: settings.lessonCoinKey ?? developmentCoinKey,
  });
  for (const outcome of recallOutcomes) metrics.lessonRecalls.inc({ outcome }, 0);
  const endpoints = lessonEndpoints({
    ...{ recall, memory, facts, metrics, refresh: following.refresh },
    ...{ reader: openLessonReader(database), ledger: openLedger(database) },
  });
  const tables = openExposureTables(database);
  const consumptions = desired.durables.map((durable) =>
    exposureConsumption(namesOf(durable), tables, (count) => metrics.lessonExposures.inc(count)),
  );
  return {
    parts: [{ endpoints, consumptions }],
    durables: desired.durables.map((wanted) => ({
      ...{ wanted, attempts, maxDeliver: settings.sourceMaxDeliver },
    })),
    maintenance: [following.upkeep],
    probeKv: () => probeAttempts(attempts),
    async updateGauges() {
      metrics.lessonsKnown.set(memory.size);
      metrics.lessonMemoryAge.set(following.ageSeconds());
    },
  };
}

/** Throws `BusError` `bad_request`, which names the setting, where the file cannot be read. */
function wordsFrom(path: string | undefined): string[] {
  if (path === undefined) return [];
  try {
    return parseWords(readFileSync(path, "utf8"));
  } catch (error) {
    throw new BusError("bad_request", `LESSON_WORDS=${path}: ${messageOf(error)}`, {
      cause: error,
    });
  }
}
