import { expect, test } from "vitest";
import { reviewDurable } from "../../../src/subjects.ts";
import { eventually } from "../../rig/eventually.ts";
import { ownClock } from "../../rig/own-clock.ts";
import { startReplicaOfTest } from "../../rig/replica.ts";
import { openStack, type Stack } from "../../rig/service.ts";

const complaint = {
  ...{ user_id: "ada", event_id: "n1", payload: { verdict: "negative", comment: "wrong" } },
};

/** Without an id for the broker, which stores it each time. */
async function publishComplaint({ broker }: Stack): Promise<void> {
  const { duplicate } = await broker.js.publish("feedback.answer", JSON.stringify(complaint));
  expect(duplicate).toBe(false);
}

const untilTaken = ({ broker }: Stack, messages: number) =>
  eventually(async () => {
    const { ack_floor } = await broker.jsm.consumers.info("FEEDBACK", reviewDurable);
    return ack_floor.stream_seq === messages;
  });

test("negative feedback published twice, a day apart and to different replicas, makes one entry", async () => {
  const stack = await openStack();
  const clock = ownClock();
  const env = { ...stack.env({ EXPERIENCE_CONCERNS: "review" }), ...clock.env };
  const today = startReplicaOfTest(env);
  await today.ready();
  await publishComplaint(stack);
  await untilTaken(stack, 1);
  await today.stop();

  clock.setAhead(24);
  const tomorrow = startReplicaOfTest(env);
  await tomorrow.ready();
  await publishComplaint(stack);
  await untilTaken(stack, 2);
  await tomorrow.stop();

  const hoursLater = (Date.parse(String(tomorrow.log.at(-1)?.["time"])) - Date.now()) / 3_600_000;
  expect(hoursLater).toBeGreaterThan(23.9);
  const { sql } = stack.database;
  const entries = await sql`SELECT feedback_id, stage, steps FROM review_entries`;
  expect(entries).toEqual([{ feedback_id: "n1", stage: "feedback", steps: 1 }]);
  const history = await sql`SELECT what, from_stage, to_stage FROM review_events`;
  expect(history).toEqual([{ what: "created", from_stage: null, to_stage: "feedback" }]);
});
