import fc from "fast-check";
import { expect, test } from "vitest";
import type { ExperienceEvent } from "../../../src/handlers/extractor/event.ts";
import { isWide, type Lesson, type LessonRow } from "../../../src/handlers/extractor/lesson.ts";
import { rulesFor } from "../../../src/handlers/extractor/rules/index.ts";
import { createLearning } from "../../../src/handlers/windows/learn.ts";
import { wideReference } from "../../../src/handlers/windows/reference.ts";
import type { Versioned, WideEvidence } from "../../../src/handlers/windows/wide-store.ts";
import { plainEvent } from "../extractor/events.ts";

const rules = rulesFor({
  ...{ errorThreshold: 3, silentThreshold: 2, latencyThreshold: 2, latencySpikeMs: 100 },
});
const settings = {
  ...{ windowMs: 1_000, slowWindowMs: 20_000, slowRuns: 4, fleetAgents: 2 },
  ...{ countBy: "run" as const, okSamplePercent: 50 },
};

class Tables {
  readonly documents = new Map<string, Versioned<WideEvidence>>();
  readonly lessons = new Map<string, Lesson>();
  readonly sightings = new Set<string>();
  readonly unpublished = new Set<string>();
  /** Calls until one fails; below 0: none does. */
  failAfter = -1;

  #call(): void {
    if (this.failAfter === 0) throw new Error("the process died here");
    this.failAfter -= 1;
  }

  learning() {
    const wide = {
      read: async (keys: readonly string[]) => {
        this.#call();
        return new Map(
          keys.flatMap((key) => {
            const found = this.documents.get(key);
            return found ? [[key, found]] : [];
          }),
        );
      },
      write: async (given: readonly { key: string; value: WideEvidence; version: number }[]) => {
        this.#call();
        const taken = given.filter(
          ({ key, version }) => (this.documents.get(key)?.version ?? 0) === version,
        );
        for (const { key, value, version } of taken) {
          this.documents.set(key, { value, version: version + 1 });
        }
        return taken.length;
      },
    };
    const lessons = {
      store: async (
        given: readonly Lesson[],
        sightings: readonly { lessonKey: string; windowStart: Date }[],
      ) => {
        this.#call();
        const inserted = given.filter(({ lessonKey }) => !this.lessons.has(lessonKey));
        for (const lesson of inserted) {
          this.lessons.set(lesson.lessonKey, lesson);
          this.unpublished.add(lesson.lessonKey);
        }
        for (const { lessonKey, windowStart } of sightings) {
          this.sightings.add(`${lessonKey} ${windowStart.getTime()}`);
        }
        const rows = (some: readonly Lesson[]) =>
          some.map(
            ({ lessonKey, scope, raw }) => ({ lesson_key: lessonKey, scope, raw }) as LessonRow,
          );
        return {
          inserted: rows(inserted),
          existing: rows(given.filter((one) => !inserted.includes(one))),
          unpublished: new Set(this.unpublished),
          sightings: sightings.length,
        };
      },
      confirmPublished: async (keys: readonly string[]) => {
        this.#call();
        for (const key of keys) this.unpublished.delete(key);
      },
    };
    const publisher = { publish: async () => this.#call() };
    return createLearning({ wide, lessons, publisher }, rules, settings);
  }
}

const event = fc
  .record({
    id: fc.nat(30),
    ts: fc.oneof(fc.nat(3_000), fc.nat(60_000)),
    runId: fc.constantFrom(undefined, "r1", "r2", "r3", "r4"),
    agentId: fc.constantFrom("a", "b", "c"),
    taskType: fc.constantFrom("t", "u"),
    tool: fc.constantFrom("pay", "book", undefined),
    kind: fc.constantFrom("error", "error", "silent", "slow"),
  })
  .map(({ id, kind, ...rest }): ExperienceEvent => {
    const base = { ...plainEvent, ...rest, model: "m", eventId: `e${id}` };
    if (kind === "error") return { ...base, ok: false, errorClass: "timeout" };
    return kind === "silent" ? { ...base, silent: true } : { ...base, latencyMs: 500 };
  });

test("whatever the batches, crashes and repetitions, it learns what the definition says", async () => {
  const batches = fc.array(
    fc.record({
      events: fc.array(event, { maxLength: 8 }),
      failAfter: fc.constantFrom(-1, -1, 0, 1, 2, 3, 4),
      isNew: fc.boolean(),
    }),
    { maxLength: 8 },
  );
  await fc.assert(
    fc.asyncProperty(batches, async (all) => {
      const tables = new Tables();
      let learn = tables.learning();
      for (const { events, failAfter, isNew } of all) {
        tables.failAfter = failAfter;
        await learn(events).catch(async () => {
          tables.failAfter = -1;
          // The process is gone; the next one has the batch again.
          learn = tables.learning();
          await learn(events);
        });
        tables.failAfter = -1;
        if (isNew) learn = tables.learning();
      }
      const events = all.flatMap((batch) => batch.events);
      const expected = wideReference(events, rules, settings);
      expect(new Set(tables.lessons.keys())).toEqual(expected.lessonKeys);
      expect(tables.sightings).toEqual(expected.sightingKeys);
      const wide = [...tables.lessons.values()].filter(({ scope, raw }) => isWide({ scope, raw }));
      expect(wide.filter(({ lessonKey }) => tables.unpublished.has(lessonKey))).toEqual([]);
    }),
    { numRuns: 150 },
  );
});

test("a second reader that takes over loses to compare-and-set and looks again", async () => {
  const tables = new Tables();
  const [one, other] = [tables.learning(), tables.learning()];
  const failure = (runId: string): ExperienceEvent => ({
    ...{ ...plainEvent, ok: false, errorClass: "timeout", tool: "pay", runId },
    ...{ eventId: runId, ts: 2_000 * Number(runId.slice(1)) },
  });
  await one([failure("r1")]);
  await other([failure("r2")]);
  await one([failure("r3")]);
  await other([failure("r4")]);
  expect([...tables.lessons.values()].map(({ raw }) => raw["window"])).toEqual(["slow"]);
});
