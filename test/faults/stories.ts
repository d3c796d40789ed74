import { afterAll, beforeAll, expect, test } from "vitest";
import { type Build, copyBuild } from "./build.ts";
import { type Fault, runStory, type Story } from "./story.ts";

export type StoryCase = Omit<Story, "main">;

/** Two cores carry so many stories of three replicas each at once; more would only wait longer. */
const atOnce = 3;

/** One test per story: whatever the fault, the same events must have led to the same lessons. */
export function testStories(stories: readonly StoryCase[], { together = atOnce } = {}): void {
  let build: Build;
  beforeAll(() => {
    build = copyBuild();
  });
  afterAll(() => build.remove());
  const turn = turns(together);

  for (const story of stories) {
    test.concurrent(`same lessons with ${story.fault.name} (seed ${story.seed})`, () =>
      turn(async () => {
        const { differences, report } = await runStory({ ...story, main: build.main });
        console.info(report);
        expect(differences, report).toEqual([]);
      }));
  }
}

/** Every fault with each of its seeds. */
export function withSeeds(faults: readonly Fault[], seeds: readonly number[]): StoryCase[] {
  return faults.flatMap((fault) => seeds.map((seed) => ({ fault, seed })));
}

/** At most so many at once; the others wait for their turn. */
export function turns(most: number): <T>(work: () => Promise<T>) => Promise<T> {
  const running = new Set<Promise<unknown>>();
  return async (work) => {
    while (running.size >= most) await Promise.race(running);
    const done = work().finally(() => running.delete(settled));
    const settled = done.catch(() => undefined);
    running.add(settled);
    return done;
  };
}
