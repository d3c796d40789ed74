import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { run, startCommand } from "../../cli/command.ts";
import { eventually } from "../../rig/eventually.ts";
import { openStack, type Stack } from "../../rig/service.ts";
import { ask } from "../../rig/traffic.ts";

const hour = 3_600_000;
const start = Date.parse("2026-11-02T00:00:00Z");
const concerns = { EXPERIENCE_CONCERNS: "extractor,windows,history", LESSON_FLEET_AGENTS: "3" };

interface Failure {
  readonly agent: string;
  readonly at: number;
  readonly run?: string;
  readonly tool?: string;
}

let published = 0;

const failure = ({ agent, at, run, tool = "pay" }: Failure) => ({
  ...{ event_id: `e${published++}`, agent_id: agent, task_type: "refund", run_id: run },
  ...{ ts: new Date(start + at).toISOString(), tool: { name: tool } },
  result: { ok: false, error_class: "timeout" },
});

/** A burst, one that recurs, one that retries within a run, a fleet's, and one that is slow. */
function events(): object[] {
  const burst = (agent: string, at: number, runs: number, tool?: string) =>
    Array.from({ length: runs }, (_, n) =>
      failure({ agent, at: at + n * 1_000, run: `${agent}-${at}-${n}`, ...(tool && { tool }) }),
    );
  const retries = Array.from({ length: 4 }, (_, n) =>
    failure({ agent: "retrier", at: n * 1_000, run: "one-run", tool: "search" }),
  );
  const slow = Array.from({ length: 6 }, (_, n) =>
    failure({ agent: "slow", at: n * 5 * hour, run: `slow-${n}`, tool: "export" }),
  );
  const few = ["f1", "f2", "f3"].flatMap((agent) => burst(agent, 40 * hour, 2, `book-${agent}`));
  return [
    ...burst("one", 0, 5),
    ...burst("one", 3 * hour, 4),
    ...burst("two", 1_799_000, 4),
    ...[...retries, ...slow, ...few],
    ...burst("one", 0, 1),
    { result: { ok: true }, agent_id: "one" },
  ];
}

async function publish({ broker: { js } }: Stack, all: readonly object[]): Promise<void> {
  for (const one of all) await js.publish("agent.experience.v1.a", JSON.stringify(one));
}

async function root({ broker: { nc } }: Stack, request: object = {}) {
  return (await ask(nc, "experience.lessons.root", request)).body;
}

async function learned(stack: Stack): Promise<void> {
  await eventually(async () => {
    const { acked_sequence, last_sequence } = await root(stack);
    return last_sequence > 0 && acked_sequence === last_sequence;
  }, 20_000);
}

const hex = (lines: string[]) =>
  createHash("sha256")
    .update(lines.map((line) => `${line}\n`).join(""))
    .digest("hex");

async function rootOfRows({ database: { sql } }: Stack): Promise<string> {
  const lessons = await sql`SELECT lesson_key AS key FROM agent_lessons`;
  const sightings =
    await sql`SELECT lesson_key AS key, window_start AS start FROM lesson_sightings`;
  return hex([
    ...lessons.map(({ key }) => `lesson ${key}`).sort(),
    ...sightings.map(({ key, start }) => `sighting ${key} ${start.getTime()}`).sort(),
  ]);
}

/** As a superuser can, whom no trigger holds back. */
async function tamper({ database: { sql } }: Stack, statement: string): Promise<void> {
  await sql.begin(async (transaction) => {
    await transaction.unsafe("SET LOCAL session_replication_role = replica");
    const { count } = await transaction.unsafe(statement);
    expect(count).toBe(1);
  });
}

async function verify(stack: Stack, env: Record<string, string>) {
  const { out, complaints, code } = await run("verify --json", stack.env(env));
  return { ...(out === "" ? { complaints } : JSON.parse(out)), code };
}

test.each(["run", "event"] as const)(
  "counting by %s, the tables hold what the stream gives, until somebody tampers with them",
  async (countBy) => {
    const stack = await openStack();
    const env = { ...concerns, EXPERIENCE_COUNT_BY: countBy };
    await stack.start(env);
    await publish(stack, events());
    await learned(stack);

    const counted = await stack.database.sql`
      SELECT scope, count(*)::int AS lessons FROM agent_lessons GROUP BY scope ORDER BY scope`;
    expect(counted).toEqual([
      { scope: "agent", lessons: countBy === "run" ? 3 : 4 },
      { scope: "fleet", lessons: 1 },
    ]);
    const { root: served, ...rest } = await root(stack);
    expect(served).toBe(await rootOfRows(stack));
    expect(await root(stack, { tenant_id: "nobody" })).toMatchObject({
      ...{ lessons: 0, sightings: 0, root: hex([]) },
    });
    const equal = await verify(stack, env);
    expect(equal).toMatchObject({ code: 0, equal: true, differences: [], may_be_late: 0 });
    expect([equal.stream.root, equal.tables.root]).toEqual([served, served]);
    expect(rest).toMatchObject({ lessons: equal.tables.lessons, reviewed: 0 });

    const changes = [
      "DELETE FROM agent_lessons WHERE agent_id = 'two'",
      `INSERT INTO agent_lessons (lesson_key, tenant_id, scope, agent_id, task_type, lesson_type, trigger, action,
         avoid, signals, evidence, raw)
       SELECT repeat('0', 64), tenant_id, scope, 'framed', task_type, lesson_type, trigger, action, avoid, signals,
         evidence, raw FROM agent_lessons WHERE agent_id = 'slow'`,
      "UPDATE agent_lessons SET agent_id = 'somebody else' WHERE agent_id = 'slow'",
      `UPDATE lesson_sightings SET window_start = window_start + interval '30 minutes'
       WHERE window_start = '${new Date(start + 3 * hour).toISOString()}'
         AND lesson_key IN (SELECT lesson_key FROM agent_lessons WHERE scope = 'agent')`,
      `UPDATE lesson_sightings SET evidence = jsonb_set(evidence, '{count}', '99')
       WHERE window_start = '${new Date(start).toISOString()}'
         AND lesson_key IN (SELECT lesson_key FROM agent_lessons WHERE agent_id = 'one')`,
    ];
    for (const change of changes) await tamper(stack, change);
    const found = await verify(stack, env);
    expect(found).toMatchObject({ code: 1, equal: false });
    expect(found.counts).toEqual({
      ...{ lesson_missing: 1, lesson_invented: 1, lesson_changed: 1 },
      ...{ sighting_missing: 1, sighting_invented: 1, sighting_changed: 1 },
    });
    const { out, code } = await run("verify", stack.env(env));
    expect([code, out]).toEqual([1, expect.stringMatching(/lesson missing .* two .*refund/)]);
    expect(out).toContain("6 differences.");
  },
  60_000,
);

test("what the stream holds no longer cannot be verified, and what is left still is", async () => {
  const stack = await openStack();
  await stack.start(concerns);
  await publish(stack, events());
  await learned(stack);
  await stack.broker.jsm.streams.purge("EXPERIENCE", { filter: "agent.experience.v1.a", seq: 14 });
  const result = await verify(stack, concerns);
  expect(result).toMatchObject({ code: 0, equal: true, first_sequence: 14 });
  expect(result.not_verifiable.lessons).toBeGreaterThan(0);
  const { out } = await run("verify", stack.env(concerns));
  expect(out).toContain("not verifiable: ");
  expect((await run("verify", { ...stack.env(concerns), EXPERIENCE_COUNT_BY: "x" })).code).toBe(2);
});

test("a back-test with the live settings gives the live lessons, and with others what they would have changed", async () => {
  const stack = await openStack();
  await stack.start(concerns);
  await publish(stack, events());
  await learned(stack);
  const keys = (lessons: readonly { lesson_key: string }[]) =>
    lessons.map(({ lesson_key }) => lesson_key).sort();
  const live = keys(
    await stack.database.sql<{ lesson_key: string }[]>`SELECT lesson_key FROM agent_lessons`,
  );
  const backtest = async (args = "") =>
    JSON.parse((await run(`backtest --json ${args}`, stack.env(concerns))).out);

  const same = await backtest();
  expect(same).toMatchObject({ added: 0, removed: 0, same: live.length });
  expect(keys(same.lessons)).toEqual(live);
  const one = same.agents.find(({ agent_id }: { agent_id: string }) => agent_id === "one");
  expect(one).toMatchObject({ same: 1, recurrence: { observed: 1, recurred: 1, share: 1 } });

  const stricter = await backtest("--error-threshold 5 --slow-runs 7");
  expect(stricter).toMatchObject({ added: 0, removed: 2, same: 2 });
  const looser = await backtest("--count-by event --agent retrier");
  expect(looser).toMatchObject({ added: 1, removed: 0, same: 0 });
  expect(looser.lessons).toMatchObject([{ change: "added", agent_id: "retrier", events: 3 }]);
  expect(await backtest("--until 2026-11-01")).toMatchObject({ same: 0, messages: 31 });

  const { nc } = stack.broker;
  const { body } = await ask(nc, "experience.history.backtest", {
    error_threshold: 5,
    slow_runs: 7,
  });
  expect(body).toMatchObject({ removed: 2, same: 2, partial: false, messages: stricter.messages });
  expect(body.lessons).toEqual(stricter.lessons);
  expect((await run("backtest --until nonsense", stack.env())).code).toBe(2);
  const { out } = await run("backtest --error-threshold 5", stack.env(concerns));
  expect(out).toMatch(/0 added, \d removed, \d the same/);
});

test("Ctrl-C ends a reading and leaves no consumer behind; a request reads a part, one at a time", async () => {
  const stack = await openStack();
  const { jsm, nc } = stack.broker;
  await jsm.streams.add({ name: "EXPERIENCE", subjects: ["agent.experience.v1.>"] });
  const filler = JSON.stringify({ result: { ok: true }, agent_id: "a" });
  for (let sent = 0; sent < 60_000; sent += 1) nc.publish("agent.experience.v1.a", filler);
  await nc.flush();
  const consumers = async () => (await jsm.consumers.list("EXPERIENCE").next()).length;
  for (const command of ["backtest", "verify"]) {
    const { child, ended } = startCommand([command], stack.env(concerns));
    await eventually(async () => (await consumers()) > 0, 20_000);
    child.kill("SIGINT");
    const { code, complaints } = await ended;
    expect([code, complaints]).toEqual([1, expect.stringContaining("interrupted")]);
    expect(await consumers()).toBe(0);
  }

  await stack.start({ EXPERIENCE_CONCERNS: "history" });
  const backtest = () => ask(nc, "experience.history.backtest", { limit_messages: 1_000 });
  const [one, other] = await Promise.all([backtest(), backtest()]);
  const [answered, refused] = one.body.code === undefined ? [one, other] : [other, one];
  expect(answered.body).toMatchObject({ partial: true, messages: 1_000, lessons: [] });
  expect(refused.body).toMatchObject({ code: "busy" });
  const left = await jsm.consumers.list("EXPERIENCE").next();
  for (const { config } of left) expect(config.inactive_threshold).toBe(10e9);
}, 60_000);
