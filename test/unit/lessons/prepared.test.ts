import fc from "fast-check";
import { expect, test } from "vitest";
import { type Asked, choose, tiersOf } from "../../../src/handlers/lessons/choice.ts";
import { notCurated } from "../../../src/handlers/lessons/curation.ts";
import { createMemory } from "../../../src/handlers/lessons/memory.ts";
import { prepareChoices } from "../../../src/handlers/lessons/prepared.ts";
import { facts, lesson, now } from "./samples.ts";

const asked: Asked = { agentId: "a", taskType: "t", maxLessons: 3, maxChars: 1_200, now };
const nothing: ReadonlySet<string> = new Set();
const some = fc.constantFrom;

const end = fc.option(fc.integer({ min: now - 5, max: now + 20 }));
const put = fc.record({
  lessonKey: some("1", "2", "3", "4", "5"),
  scope: some("agent", "agent", "fleet"),
  agentId: some("a", "b", "*"),
  taskType: some("t", "u"),
  lastSeenAt: fc.integer({ min: now - 9, max: now }),
  expiresAt: end,
  curation: fc.record({ silencedUntil: end, pinnedUntil: end, expiresAt: end }),
});
const ask = fc.record({
  agentId: some("a", "a", "b"),
  tool: some("book", undefined),
  laterMs: fc.nat({ max: 8 }),
});

test("what is kept from earlier questions answers as if everything were worked out anew", () => {
  const steps = fc.array(fc.oneof({ arbitrary: ask, weight: 3 }, put, some("forget" as const)), {
    minLength: 10,
    maxLength: 40,
  });
  fc.assert(
    fc.property(steps, (all) => {
      const memory = createMemory(100);
      const prepared = prepareChoices(facts);
      let at = now;
      for (const step of all) {
        if (step === "forget") memory.forget("1");
        else if ("lessonKey" in step) {
          memory.put(lesson({ ...step, curation: { ...notCurated, ...step.curation } }));
        } else {
          const { laterMs, ...rest } = step;
          at += laterMs;
          const question: Asked = { ...asked, ...rest, now: at };
          const lessons = memory.concerning("default", question.agentId);
          const tiers = tiersOf(lessons, question);
          const kept = prepared("default", lessons, question);
          expect(kept.tiers).toEqual(tiers);
          expect(kept.choice).toEqual(choose(tiers, question, nothing, facts));
        }
      }
    }),
  );
});

test("the same question about the same lessons is worked out once", () => {
  const memory = createMemory(100);
  for (const [lessonKey, agentId] of [
    ["own", "a"],
    ["any", "*"],
  ] as const) {
    memory.put(lesson({ lessonKey, agentId }));
  }
  const prepared = prepareChoices(facts);
  const choice = () => prepared("default", memory.concerning("default", "a"), asked).choice;
  const first = choice();
  expect(choice()).toBe(first);
  memory.put(lesson({ lessonKey: "of another", agentId: "b" }));
  expect(choice()).toBe(first);
  memory.put(lesson({ lessonKey: "new" }));
  expect(choice()).not.toBe(first);
});
