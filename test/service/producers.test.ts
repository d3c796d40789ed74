import { expect, test } from "vitest";
import { experienceEventSchema } from "../../src/handlers/extractor/wire.ts";
import { userEventSchema } from "../../src/handlers/features/wire.ts";
import { runEventSchema } from "../../src/handlers/runs/event-wire.ts";
import { eventually } from "../rig/eventually.ts";
import { openStack } from "../rig/service.ts";
import { ask } from "../rig/traffic.ts";
import { payloadOf, prettyProducers, producers } from "../unit/fixtures/producers.ts";

const all = [...producers, ...prettyProducers];
const ts = Date.UTC(2026, 10, 1, 8);

test("what every kind of producer writes is understood at every entrance, and nothing is a dead letter", async () => {
  const stack = await openStack();
  await stack.start();
  const { nc, js, jsm } = stack.broker;
  const { sql } = stack.database;
  for (const [i, producer] of all.entries()) {
    const failure = (agent: string, n: number) =>
      payloadOf(
        producer,
        {
          ...{ event_id: `${n}`, agent_id: `${agent}-${i}`, run_id: `${n}`, ts: ts + n },
          ...{ result: { ok: false, error_class: "timeout" }, tool: { name: "search" } },
        },
        experienceEventSchema,
      );
    const seen = { event_id: "1", user_id: `u-${i}`, ts, payload: { rating: 5 } };
    const step = (run: string) =>
      payloadOf(producer, { run_id: `${run}-${i}`, type: "step", ts }, runEventSchema);
    const user = payloadOf(producer, seen, userEventSchema);
    for (const n of [1, 2, 3]) {
      await js.publish("agent.experience.v1.x", failure("stream", n));
      const { body } = await ask(nc, "experience.extractor", failure("asked", n));
      expect([producer.name, body]).toEqual([
        producer.name,
        { stored: 1, duplicates: 0, invalid: [] },
      ]);
    }
    await js.publish("signals.page.opened", user);
    await js.publish("feedback.tip", user, { msgID: `f-${i}` });
    await js.publish("agent.run.v1.x", step("stream"));
    expect((await ask(nc, "experience.runs.append", step("asked"))).body.stored).toBe(1);
  }
  const expected = (...prefixes: string[]) =>
    prefixes.flatMap((prefix) => all.map((_, i) => `${prefix}-${i}`)).sort();
  await eventually(async () => {
    const lessons = await sql`SELECT agent_id FROM agent_lessons WHERE scope = 'agent'`;
    return lessons.length === 2 * all.length;
  });
  const lessons = await sql`SELECT agent_id, evidence ->> 'first_ts' AS first FROM agent_lessons
    WHERE scope = 'agent'`;
  expect(lessons.map((row) => row["agent_id"]).sort()).toEqual(expected("asked", "stream"));
  const first = new Date(ts + 1).toISOString();
  expect(new Set(lessons.map((row) => row["first"]))).toEqual(new Set([first]));
  await eventually(async () => {
    const [row] = await sql`SELECT count(*)::int AS n FROM agent_runs`;
    return row?.["n"] === 2 * all.length;
  });
  const runs = await sql`SELECT DISTINCT started_at FROM agent_runs`;
  expect(runs).toMatchObject([{ started_at: new Date(ts) }]);
  await eventually(async () => {
    const rows = await sql`SELECT user_id FROM user_features`;
    return rows.length === all.length;
  });
  const users = await sql`SELECT DISTINCT last_event_at FROM user_features`;
  expect(users).toMatchObject([{ last_event_at: new Date(ts) }]);
  const letters = await jsm.streams.info("DEAD_LETTERS");
  expect(letters.state.messages).toBe(0);
});
