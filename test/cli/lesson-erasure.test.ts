import { headers } from "@nats-io/transport-node";
import { expect, onTestFinished, test } from "vitest";
import { eventually } from "../rig/eventually.ts";
import { openStack, type Stack } from "../rig/service.ts";
import { ask, failures, publish } from "../rig/traffic.ts";
import { run } from "./command.ts";

const erase = ({ broker, database }: Stack, args: string) =>
  run(`lessons erase ${args} --by Ada --reason request-17`, {
    NATS_URL: broker.url,
    LEARNER_DATABASE_URL: database.url,
  });

const text = "nobody shall know Zanzibar";

/** Everything that the database and the stream of lessons hold, as text. */
async function allThatIsKept({ broker, database: { sql } }: Stack): Promise<string> {
  const tables = await sql<{ name: string }[]>`
    SELECT relname AS name FROM pg_class
    WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY 1`;
  const rows = await Promise.all(
    tables.map(({ name }) => sql.unsafe(`SELECT to_jsonb(one)::text AS row FROM "${name}" AS one`)),
  );
  const { state } = await broker.jsm.streams.info("LESSONS");
  const messages: string[] = [];
  for (let seq = state.first_seq; seq <= state.last_seq; seq++) {
    messages.push((await broker.jsm.streams.getMessage("LESSONS", { seq }))?.string() ?? "");
  }
  return JSON.stringify([rows, messages]);
}

test("an erased lesson is gone from tables, stream and prompts, and is not learned again", async () => {
  const stack = await openStack();
  const { sql } = stack.database;
  await stack.start();
  const recall = () =>
    ask(stack.broker.nc, "experience.lessons.recall", { agent_id: "scout", tool: "search" });
  await publish(stack.broker, ...failures(3, { result: { ok: false, error_class: text } }));
  const isLearned = async () =>
    (await sql`SELECT FROM lesson_sightings`).length === 1 &&
    (await stack.broker.jsm.streams.info("LESSONS")).state.messages === 1;
  await eventually(isLearned);
  const [row] = await sql`SELECT lesson_key FROM agent_lessons`;
  const key = String(row?.["lesson_key"]);
  await eventually(async () => JSON.stringify((await recall()).body).includes(key));
  expect(await allThatIsKept(stack)).toContain("Zanzibar".toLowerCase());

  // What its effect was said to be names its agent, too.
  const verdict = headers();
  verdict.set("Nats-Msg-Id", `${key}:verdict:1`);
  const says = JSON.stringify({ lesson_key: key, task_type: text.toLowerCase() });
  await stack.broker.js.publish("agent.lesson.verdict.v1", says, { headers: verdict });
  await sql`
    INSERT INTO lesson_effects (lesson_key, tenant_id, effect)
    VALUES (${key}, 'default', ${JSON.stringify({ text: text.toLowerCase() })}::text::jsonb)`;

  const erased = await erase(stack, key.slice(0, 8));
  expect(erased).toMatchObject({ code: 0, complaints: "" });
  expect(erased.out).toMatch(/^Erased [0-9a-f]{8}; messages overwritten in LESSONS: 2\.\n$/);
  expect(await allThatIsKept(stack)).not.toContain("Zanzibar".toLowerCase());
  const record = await sql`SELECT lesson_key, erased_by, reason FROM lesson_erasures`;
  expect([...record]).toEqual([{ lesson_key: key, erased_by: "Ada", reason: "request-17" }]);
  await eventually(async () => !JSON.stringify((await recall()).body).includes(key));

  // The same failure goes on, and another one makes a lesson.
  await publish(stack.broker, ...failures(4, { result: { ok: false, error_class: text } }));
  await publish(stack.broker, ...failures(3, { result: { ok: false, error_class: "other" } }));
  await eventually(async () => (await sql`SELECT FROM lesson_sightings`).length === 1);
  const rows = await sql`SELECT signals->>'error_class' AS class FROM agent_lessons`;
  expect(rows.map((one) => one["class"])).toEqual(["other"]);
  expect(await allThatIsKept(stack)).not.toContain("Zanzibar".toLowerCase());

  const again = await erase(stack, key.slice(0, 8));
  expect(again.out).toContain("messages overwritten in LESSONS: 0.");
  expect(again.code).toBe(0);
});

test("an insert that had begun before the erasure brings nothing back", async () => {
  const stack = await openStack();
  const { sql, url } = stack.database;
  const postgres = (await import("postgres")).default;
  const writer = postgres(url, { max: 1, onnotice: () => undefined });
  onTestFinished(() => writer.end({ timeout: 1 }));
  const key = "ab".repeat(32);
  const insert = (connection: typeof writer) => connection`
    INSERT INTO agent_lessons (lesson_key, tenant_id, scope, agent_id, task_type, lesson_type, trigger, action, avoid,
      signals, evidence, raw)
    VALUES (${key}, 't', 'agent', 'a', 'k', 'error', 'x', 'y', 'z', '{}', '{}', '{}') ON CONFLICT DO NOTHING RETURNING 1`;
  await insert(writer);
  // Its statement is known to the server and waits for the lock with what it has seen before.
  let waiting: Promise<object[]> | undefined;
  await sql.begin(async (transaction) => {
    await transaction`SELECT erase_lesson(${key}, 'Ada', 'because')`;
    waiting = insert(writer).then((rows) => [...rows]);
    await eventually(async () => {
      const [row] = await sql`SELECT count(*)::int AS waits FROM pg_locks WHERE NOT granted`;
      return row?.["waits"] > 0;
    });
  });
  expect(await waiting).toEqual([]);
  expect([...(await sql`SELECT FROM agent_lessons`)]).toEqual([]);
  await expect(sql`DELETE FROM lesson_erasures`).rejects.toThrow("append-only");
  await expect(sql`DELETE FROM agent_lessons`).rejects.toThrow("append-only");
});

test("without the stream the lesson is erased, and the command says what is left to do", async () => {
  const stack = await openStack();
  await stack.database.sql`
    INSERT INTO agent_lessons (lesson_key, tenant_id, scope, agent_id, task_type, lesson_type, trigger, action, avoid,
      signals, evidence, raw)
    VALUES (${"cd".repeat(32)}, 't', 'agent', 'a', 'k', 'error', 'x', 'y', 'z', '{}', '{}', '{}')`;
  const said = await run("lessons erase cdcdcdcd --by Ada --reason no --timeout 2s", {
    NATS_URL: "nats://127.0.0.1:1",
    LEARNER_DATABASE_URL: stack.database.url,
  });
  expect(said.code).toBe(1);
  expect(said.complaints).toMatch(
    /^What was published of it may still be in LESSONS: cannot connect/,
  );
  expect((await stack.database.sql`SELECT FROM agent_lessons`).length).toBe(0);
  const none = await run("lessons erase 00000000 --by Ada --reason no", {
    LEARNER_DATABASE_URL: stack.database.url,
  });
  expect(none.code).toBe(3);
});
