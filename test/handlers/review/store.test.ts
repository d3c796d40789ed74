import { afterEach, beforeEach, expect, test } from "vitest";
import { type Advance, advanced } from "../../../src/handlers/review/entry.ts";
import { reviewedLessonKey } from "../../../src/handlers/review/lesson.ts";
import type { Stage } from "../../../src/handlers/review/stages.ts";
import { takeStep } from "../../../src/handlers/review/step.ts";
import { openReviews, type Reviews } from "../../../src/handlers/review/store.ts";
import { type Database, openDatabase, silentLog } from "../../../src/postgres/client.ts";
import { freshDatabase, type TestDatabase } from "../../rig/database.ts";

let own: TestDatabase;
let store: Reviews;
const open: Database[] = [];

beforeEach(async () => {
  own = await freshDatabase();
  store = openStore();
});

afterEach(async () => {
  await Promise.all(open.splice(0).map((one) => one.close()));
  await own.drop();
});

/** As another replica has it. */
function openStore(): Reviews {
  const database = openDatabase({ url: own.url, poolSize: 3, log: silentLog });
  open.push(database);
  return openReviews(database);
}

const e1 = { entryId: "e1", tenantId: "default" };
const create = (entryId: string, of = store) =>
  of.create({ entryId, tenantId: "default", feedbackId: "f", summary: "slow", runId: "r1" });
const step = (entryId: string, request: Advance, of = store) => takeStep(of, { entryId }, request);

const skillDraft = { id: "s", title: "T", when: "o'Neil {}", do: "look", avoid: "guess" };
const path: readonly Stage[] = ["case_draft", "skill_draft", "reviewed", "merged"];
const requestTo = (to: Stage): Advance => ({ to, reviewer: "Ada", skillDraft });

test("what is written is what is read, with its history", async () => {
  const made = await create("e1");
  expect(await store.find(e1)).toEqual(made);
  const advanced = await step("e1", { to: "case_draft", case: { case_id: "c", text: "é😀" } });
  expect(await store.find(e1)).toEqual(advanced);
  expect(advanced).toMatchObject({ stage: "case_draft", steps: 2, summary: "slow" });
  expect((await store.steps(e1)).map(({ what, toStage, at }) => [what, toStage, at])).toEqual([
    ["created", "feedback", made?.updatedAt],
    ["advanced", "case_draft", advanced.updatedAt],
  ]);
  expect(await store.find({ entryId: "e1", tenantId: "acme" })).toBeNull();
});

test("an id is used once, also after its entry was removed", async () => {
  expect(await create("e1")).not.toBeNull();
  expect(await create("e1")).toBeNull();
  expect(await store.remove({ ...e1, tenantId: "acme" }, "Ada", "spam")).toBe(false);
  expect(await store.remove(e1, "Ada", "spam")).toBe(true);
  expect(await store.remove(e1, "Ada", "spam")).toBe(false);
  expect(await create("e1")).toBeNull();
  expect((await store.steps(e1)).at(-1)).toMatchObject({
    ...{ step: 2, what: "removed", fromStage: "feedback", who: "Ada", reason: "spam" },
  });
});

test("two tenants choose their ids without knowing of each other", async () => {
  await create("e1");
  const theirs = await store.create({
    ...e1,
    tenantId: "acme",
    feedbackId: "f",
    summary: null,
    runId: null,
  });
  expect(theirs).toMatchObject({ tenantId: "acme", steps: 1 });
  await takeStep(store, { ...e1, tenantId: "acme" }, { to: "case_draft" });
  expect(await store.find(e1)).toMatchObject({ stage: "feedback", steps: 1 });
  expect(await store.steps(e1)).toHaveLength(1);
  await expect(store.find({ entryId: "e1" })).rejects.toMatchObject({ code: "bad_request" });
  expect(await store.remove(e1, "Ada", "spam")).toBe(true);
  expect(await store.find({ entryId: "e1" })).toMatchObject({ tenantId: "acme" });
});

test("merging makes one lesson, together with the step", async () => {
  await create("e1");
  for (const to of path) await step("e1", requestTo(to));
  const lessonKey = reviewedLessonKey("default", "e1");
  expect(await store.find(e1)).toMatchObject({ stage: "merged", lessonKey });
  const lessons = await own.sql`SELECT * FROM agent_lessons`;
  expect(lessons).toHaveLength(1);
  expect(lessons[0]).toMatchObject({
    ...{ lesson_key: lessonKey, lesson_type: "reviewed", trigger: "o'Neil {}", action: "look" },
    ...{ scope: "fleet", agent_id: "*", raw: { entry_id: "e1", reviewer: "Ada" } },
  });
});

test("where the lesson cannot be stored, the step is not taken either", async () => {
  await create("e1");
  for (const to of path.slice(0, 3)) await step("e1", requestTo(to));
  await own.sql`ALTER TABLE agent_lessons ADD CONSTRAINT none CHECK (lesson_type <> 'reviewed')`;
  await expect(step("e1", requestTo("merged"))).rejects.toMatchObject({ code: "bad_request" });
  expect(await store.find(e1)).toMatchObject({ stage: "reviewed", steps: 4 });
  expect(await store.steps(e1)).toHaveLength(4);
});

test("history cannot be changed", async () => {
  await create("e1");
  for (const change of ["UPDATE review_events SET who = 'x'", "DELETE FROM review_events"]) {
    await expect(own.sql.unsafe(change)).rejects.toMatchObject({ code: "55000" });
  }
});

test("lists are newest first, by stage and tenant, and go on where they ended", async () => {
  for (const id of ["a", "b", "c"]) await create(id);
  await step("a", requestTo("case_draft"));
  const idsOf = (entries: readonly { entryId: string }[]) => entries.map((one) => one.entryId);
  const first = await store.list({}, null, 2);
  expect(idsOf(first)).toEqual(["a", "c"]);
  expect(idsOf(await store.list({}, first[1]?.updatedAt ?? "", 9))).toEqual(["b"]);
  expect(idsOf(await store.list({ stage: "feedback" }, null, 9))).toEqual(["c", "b"]);
  expect(await store.list({ tenantId: "acme" }, null, 9)).toEqual([]);
  expect(await store.countByStage()).toEqual({ feedback: 2, case_draft: 1 });
});

test("updated_at grows when the clock was set back by an hour", async () => {
  await own.sql`UPDATE review_clock SET last_at = now() + interval '1 hour'`;
  const times: (string | undefined)[] = [];
  times.push((await create("a"))?.updatedAt, (await create("b"))?.updatedAt);
  times.push((await step("a", requestTo("case_draft"))).updatedAt);
  expect([...times].sort()).toEqual(times);
  expect(new Set(times).size).toBe(3);
  expect(Date.parse(times[0] ?? "")).toBeGreaterThan(Date.now() + 3_500_000);
});

test("a step that was decided on what is no longer there is not taken", async () => {
  const made = await create("e1");
  if (made === null) throw new Error("not created");
  await step("e1", requestTo("case_draft"));
  const late = advanced(made, { to: "rejected", reviewer: "Eve" });
  expect(await store.advance(made, late, null)).toBeNull();
  expect(await store.steps(e1)).toHaveLength(2);
});

test("four replicas and 20 clients take each step once, in order, at times that only grow", async () => {
  const stores = [store, openStore(), openStore(), openStore()];
  const ids = Array.from({ length: 40 }, (_, i) => `e${i}`);
  await Promise.all(ids.map((id, i) => create(id, stores[i % 4])));
  const outcomes = { taken: 0, refused: 0 };
  const client = async (of: Reviews, offset: number) => {
    for (const [i] of ids.entries()) {
      for (const to of path) {
        try {
          await step(ids[(i + offset) % ids.length] ?? "", requestTo(to), of);
          outcomes.taken += 1;
        } catch (error) {
          expect(error).toMatchObject({ code: "conflict" });
          outcomes.refused += 1;
        }
      }
    }
  };
  await Promise.all(
    Array.from({ length: 20 }, (_, i) => client(stores[i % 4] ?? store, 3 * (i % 5))),
  );
  expect(outcomes.taken).toBe(ids.length * path.length);
  const steps = await own.sql`
    SELECT entry_id, array_agg(to_stage ORDER BY step) AS stages, array_agg(step ORDER BY step) AS steps,
      bool_and(at > before) IS NOT FALSE AS grows
    FROM (SELECT *, lag(at) OVER (PARTITION BY entry_id ORDER BY step) AS before FROM review_events) AS one
    GROUP BY entry_id`;
  expect(steps).toHaveLength(ids.length);
  for (const one of steps) {
    expect(one).toMatchObject({
      stages: ["feedback", ...path],
      steps: [1, 2, 3, 4, 5],
      grows: true,
    });
  }
  const [times] = await own.sql`SELECT count(DISTINCT at)::int AS distinct FROM review_events`;
  expect(times?.["distinct"]).toBe(ids.length * 5);
  const [lessons] = await own.sql`SELECT count(*)::int AS count FROM agent_lessons`;
  expect(lessons?.["count"]).toBe(ids.length);
}, 60_000);

test("creating and removing the same entries at once waits in no circle", async () => {
  const stores = [store, openStore()];
  const ids = Array.from({ length: 60 }, (_, i) => `e${i % 6}`);
  await Promise.all(
    ids.flatMap((id, i) => [
      create(id, stores[i % 2]),
      store.remove({ ...e1, entryId: id }, "Ada", "again"),
      step(id, requestTo("case_draft"), stores[(i + 1) % 2]).catch((error) => {
        expect(["conflict", "not_found"]).toContain(error.code);
      }),
    ]),
  );
  const [created] = await own.sql`SELECT count(*)::int AS count FROM review_events WHERE step = 1`;
  expect(created?.["count"]).toBe(6);
});
