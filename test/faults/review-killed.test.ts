import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually } from "../rig/eventually.ts";
import { type OwnClock, ownClock } from "../rig/own-clock.ts";
import { type Replica, startReplica } from "../rig/replica.ts";
import { openStack, type Stack } from "../rig/service.ts";
import { type Answer, ask } from "../rig/traffic.ts";
import { type Build, copyBuild } from "./build.ts";
import { type Random, randomFrom } from "./events.ts";
import { startReplaced } from "./replaced.ts";

/** 10 is the size that was promised: 2,000 entries, 10,000 steps, four replicas. */
const size = Number(process.env["REVIEW_FAULT_SIZE"] ?? "1");
const sizes = { entries: 200 * size, replicas: size >= 10 ? 4 : 3, kills: 3 * size, clients: 20 };
const limitMs = 60_000 + 60_000 * size;

/** Each client looks after every fourth entry: five of them want the same steps at the same moment. */
const groups = 4;

let build: Build;
beforeAll(() => {
  build = copyBuild();
});
afterAll(() => build.remove());

const path = ["feedback", "case_draft", "skill_draft", "reviewed", "merged"] as const;
const skill_draft = { id: "s", title: "T", when: "asked", do: "look", avoid: "guess" };

/** The first replica has a clock of its own and lives on. */
function startFleet(stack: Stack, clock: OwnClock) {
  const env = stack.env({ EXPERIENCE_CONCERNS: "review" });
  const fleet = startReplaced(sizes.replicas, (index) =>
    startReplica({ ...env, ...(index === 0 ? clock.env : {}) }, build.main),
  );
  return {
    ...fleet,
    /** Of the clock that was set back, as the log of its replica has it when that stops; epoch ms. */
    async lastTime() {
      const first = fleet.replicas[0] as Replica;
      await first.stop();
      return Date.parse(String(first.log.at(-1)?.["time"]));
    },
  };
}

/** What clients were told, and whether its times agree with the order in which they were told. */
function openRecord() {
  const taken: string[] = [];
  let latest = "";
  return {
    taken,
    /** Call it before a step is asked for; the result, with what was answered. */
    asking() {
      const before = latest;
      return (step: string, updatedAt: string) => {
        taken.push(step);
        expect(updatedAt > before, `${updatedAt} after ${before}`).toBe(true);
        if (updatedAt > latest) latest = updatedAt;
      };
    },
  };
}

/** Whoever was asked may have died: the same is asked again until there is an answer. */
async function answered(stack: Stack, what: string, request: object): Promise<Answer> {
  let answer: Answer | null = null;
  await eventually(async () => {
    answer = await ask(stack.broker.nc, `experience.review.${what}`, request).catch(() => null);
    return answer !== null && !["429", "503", "504"].includes(answer.errorCode);
  }, limitMs);
  return answer as unknown as Answer;
}

/** Tries each step of its entries, and now and then one that may not be allowed. */
async function runClient(
  stack: Stack,
  client: number,
  random: Random,
  record: ReturnType<typeof openRecord>,
): Promise<void> {
  for (let entry = client % groups; entry < sizes.entries; entry += groups) {
    const entry_id = `e-${entry}`;
    const steps = path.flatMap((to, i) =>
      i > 0 && random(4) === 0 ? [path[1 + random(4)], to] : [to],
    );
    for (const to of steps) {
      const told = record.asking();
      const isFirst = to === "feedback";
      const { errorCode, body } = isFirst
        ? await answered(stack, "create", { entry_id, feedback_id: "f" })
        : await answered(stack, "advance", { entry_id, to, reviewer: "Ada", skill_draft });
      if (errorCode === "") told(`${entry_id} ${to}`, body.updated_at);
      else expect(errorCode, JSON.stringify(body)).toBe("409");
    }
  }
}

test(
  "each step of a review is taken once, at times that only grow, with replicas killed and a clock set back",
  async () => {
    const random = randomFrom(12);
    const stack = await openStack();
    const clock = ownClock();
    const fleet = startFleet(stack, clock);
    try {
      await fleet.ready();
      const record = openRecord();
      const clients = Array.from({ length: sizes.clients }, (_, i) =>
        runClient(stack, i, randomFrom(100 + i), record),
      );
      const steps = sizes.entries * path.length;
      const disturbed = async () => {
        for (let kill = 0; kill < sizes.kills; kill++) {
          const untilThen = (steps * (kill + 0.5)) / sizes.kills;
          await eventually(() => record.taken.length >= untilThen * 0.9, limitMs);
          if (kill === 1) clock.setBack(1);
          await fleet.kill(1 + random(sizes.replicas - 1));
        }
      };
      await Promise.all([...clients, disturbed()]);

      const hoursBehind = (Date.now() - (await fleet.lastTime())) / 3_600_000;
      expect(hoursBehind).toBeGreaterThan(0.9);
      expect(new Set(record.taken).size).toBe(record.taken.length);
      await expectHistories(stack);
    } finally {
      await fleet.remove();
    }
  },
  120_000 + 4 * limitMs,
);

async function expectHistories({ database: { sql } }: Stack): Promise<void> {
  const histories = await sql`
    SELECT entry_id, array_agg(to_stage ORDER BY at) AS stages, array_agg(step ORDER BY at) AS steps
    FROM review_events GROUP BY entry_id`;
  expect(histories).toHaveLength(sizes.entries);
  for (const one of histories) expect(one).toMatchObject({ stages: path, steps: [1, 2, 3, 4, 5] });
  const [counts] = await sql`
    SELECT (SELECT count(DISTINCT at)::int FROM review_events) AS times,
      (SELECT count(*)::int FROM review_entries AS e JOIN review_events AS s USING (tenant_id, entry_id)
        WHERE s.step = e.steps AND s.at = e.updated_at AND e.stage = 'merged') AS merged,
      (SELECT count(*)::int FROM agent_lessons) AS lessons`;
  const { entries } = sizes;
  expect(counts).toEqual({ times: entries * path.length, merged: entries, lessons: entries });
}
