import { afterAll, beforeAll, expect, test } from "vitest";
import { isoTime } from "../../src/handlers/missions/change.ts";
import { changeSubject } from "../../src/subjects.ts";
import { eventually } from "../rig/eventually.ts";
import { type Build, copyBuild } from "./build.ts";
import { storedMessages } from "./comparison.ts";
import { type Moment, setFailpoint } from "./failpoint.ts";
import { openStack, type Stack } from "./stack.ts";
import type { Step } from "./steps.ts";
import { turns } from "./stories.ts";

let build: Build;
beforeAll(() => {
  build = copyBuild();
});
afterAll(() => build.remove());
const turn = turns(3);

const sql = (name: string, text: string): Step => ({
  name,
  matches: ({ about }) => about.includes(text),
});
const publishes = (name: string, subject: string): Step => ({
  name,
  matches: ({ about }) => /^H?PUB /.test(about) && about.includes(subject),
});
/** From what is due to a change that is published, in the order of effects. */
const steps = {
  claim: sql("a mission claimed", 'INSERT INTO "mission_claims"'),
  ask: publishes("the planner asked", " planner"),
  commit: sql("an iteration written", 'INSERT INTO "mission_iterations"'),
  publish: publishes("a change published", " agent.change.v1.missions."),
  forget: sql("a change known as published", 'DELETE FROM "mission_outbox"'),
};

const missions = 6;
const kills: readonly { readonly step: Step; readonly moment: Moment }[] = [
  { step: steps.claim, moment: "unanswered" },
  { step: steps.ask, moment: "before" },
  { step: steps.commit, moment: "before" },
  { step: steps.commit, moment: "unanswered" },
  { step: steps.publish, moment: "before" },
  { step: steps.publish, moment: "unanswered" },
  { step: steps.forget, moment: "before" },
];

async function publishMissions({ broker }: Stack): Promise<void> {
  const record = (table: string, record_id: string, data: object) =>
    broker.js.publish(
      changeSubject(table, record_id),
      JSON.stringify({ user_id: "ada", op: "insert", ts: Date.now(), table, record_id, data }),
    );
  await record("agents", "scout", { name: "Scout", state: "active", max_concurrent_missions: 2 });
  for (let i = 0; i < missions; i++) {
    await record("missions", `m-${i}`, {
      ...{ title: `Mission ${i}`, state: "active", agent_id: "scout", every_seconds: 86_400 },
      next_run_at: isoTime(Date.now() - 1_000),
    });
  }
}

for (const { step, moment } of kills) {
  const when = moment === "before" ? "before" : "after";
  test.concurrent(`each due time has one iteration and one change, with replicas killed ${when}: ${step.name}`, () =>
    turn(async () => {
      const failpoint = setFailpoint({ step, moment, at: [1, 2] });
      const stack = await openStack({
        ...{ main: build.main, size: 2, failpoint },
        env: {
          ...{ EXPERIENCE_CONCERNS: "missions", MISSION_PLANNER: "nats:planner" },
          ...{ MISSION_TICK_SECONDS: "0.5", MISSION_CLAIM_SECONDS: "3" },
          MISSION_PLANNER_TIMEOUT_SECONDS: "1",
        },
      });
      try {
        stack.broker.nc.subscribe("planner", {
          callback: (_, message) =>
            void message.respond(JSON.stringify({ summary: "done", steps: [], tokens_used: 1 })),
        });
        await eventually(() => stack.broker.jsm.streams.info("CHANGES").then(() => true, () => false), 30_000); // biome-ignore format: one line
        await publishMissions(stack);
        const rows = () =>
          stack.database.sql<{ id: string; mission: string }[]>`
            SELECT iteration_id AS id, mission_id AS mission FROM mission_iterations`;
        const waiting = () => stack.database.sql`SELECT FROM mission_outbox`;
        await eventually(
          async () => (await rows()).length === missions && (await waiting()).length === 0,
          90_000,
        );
        const iterations = await rows();
        expect(new Set(iterations.map(({ mission }) => mission)).size).toBe(missions);
        const published = (await storedMessages(stack.broker, "CHANGES"))
          .map(({ data }) => JSON.parse(Buffer.from(data).toString()))
          .filter(({ actor }) => actor?.kind === "ai")
          .map(({ event_id }) => event_id);
        expect(published.sort()).toEqual(iterations.map(({ id }) => id).sort());
        expect(failpoint.triggered).toBe(2);
        expect(stack.supervisor.accidents).toEqual([]);
      } finally {
        await stack.close();
      }
    }));
}
