import { afterEach, beforeEach, expect, test } from "vitest";
import { isoTime } from "../../../src/handlers/missions/change.ts";
import type { Claim, DueMission, Wanted } from "../../../src/handlers/missions/claim.ts";
import { openClaims } from "../../../src/handlers/missions/claims.ts";
import { missionChange, systemActor } from "../../../src/handlers/missions/iteration.ts";
import { type NewIteration, openIterations } from "../../../src/handlers/missions/iterations.ts";
import { type Database, openDatabase, silentLog } from "../../../src/postgres/client.ts";
import { freshDatabase, type TestDatabase } from "../../rig/database.ts";
import { eventually } from "../../rig/eventually.ts";

let own: TestDatabase;
const open: Database[] = [];
/** Statements of all replicas that went through `connect`. */
let statements = 0;

beforeEach(async () => {
  own = await freshDatabase();
});

afterEach(async () => {
  await Promise.all(open.splice(0).map((one) => one.close()));
  await own.drop();
});

/** What a replica does with claims. */
function connect(holder: string) {
  const real = openDatabase({ url: own.url, poolSize: 4, log: silentLog });
  open.push(real);
  const database: Database = {
    ...real,
    run: (work, options) => {
      statements += 1;
      return real.run(work, options);
    },
  };
  const claims = openClaims(database);
  const { commit } = openIterations(database);
  return {
    ...claims,
    by: { holder, claimSeconds: 60 },
    /** Writes a plan with that summary; null: the mission moves on without one. */
    commit(claim: Claim, summary: string | null) {
      const data = { next_run_at: null };
      const eventId = claim.iterationId;
      const write = { eventId, now: Date.now(), data, actor: systemActor };
      const change = missionChange(claim, claim.snapshot, write);
      return commit(claim, summary === null ? null : iterationOf(summary), change);
    },
  };
}
type Replica = ReturnType<typeof connect>;

function iterationOf(summary: string): NewIteration {
  const plan = { summary, steps: [] };
  return { plan, overallStatus: "approved", tokens: 5, actor: systemActor };
}

const due = isoTime(Date.now() - 60_000);

async function addAgent(id: string, limits: object): Promise<void> {
  await own.sql`
    INSERT INTO agent_snapshots (tenant_id, user_id, record_id, record, field_meta, deleted, version)
    VALUES ('default', 'ada', ${id}, ${own.sql.json(limits as never)}, '{}', false, 1)`;
}

async function addMissions(agentId: string | null, ids: readonly string[]): Promise<void> {
  await own.sql`
    INSERT INTO mission_snapshots (tenant_id, user_id, record_id, record, field_meta, deleted, version, due_at, agent_id)
    SELECT 'default', 'ada', id, ${own.sql.json({ next_run_at: due, agent_id: agentId })}, '{}', false, 1,
      ${due}::timestamptz, ${agentId} FROM unnest(${[...ids]}::text[]) AS id`;
}

/** All that is due, with their agents, by their ids. */
async function wantedOf(replica: Replica): Promise<Wanted[]> {
  const { missions, agents } = await replica.due(null, 2_000);
  const known = new Map([...agents.values()].map((one) => [one.agent.agentId, one]));
  const wanted = missions.map((mission) => ({
    mission,
    known: known.get(mission.agentId ?? "") ?? null,
  }));
  return wanted.sort((a, b) => (a.mission.missionId < b.mission.missionId ? -1 : 1));
}

async function claimAll(replica: Replica): Promise<Claim[]> {
  const outcomes = await replica.claim(await wantedOf(replica), replica.by);
  return outcomes.filter((one) => typeof one !== "string");
}

/** As if its holder had been frozen for longer than its claim. */
async function expire(...ids: readonly string[]): Promise<void> {
  const past = Date.now() - 1_000;
  await own.sql`UPDATE mission_claims SET expires_at = to_timestamp(${past}::float8 / 1000) WHERE mission_id = ANY(${[...ids]})`;
  for (const id of ids) {
    await own.sql`
      UPDATE agent_claims SET running = jsonb_set(running, ARRAY[${id}, 'until'], to_jsonb(${past}::float8))
      WHERE running ? ${id}`;
  }
}

async function runningOf(agentId: string): Promise<string[]> {
  const rows = await own.sql<{ mission: string }[]>`
    SELECT one.key || ' ' || (one.value->>'token') AS mission
    FROM agent_claims, jsonb_each(running) AS one WHERE agent_id = ${agentId} ORDER BY 1`;
  return rows.map(({ mission }) => mission);
}

async function iterations(): Promise<string[]> {
  const rows = await own.sql<{ text: string }[]>`
    SELECT mission_id || ' ' || token || ' ' || summary AS text FROM mission_iterations ORDER BY 1`;
  return rows.map(({ text }) => text);
}

const ids = (claims: readonly DueMission[]) => claims.map(({ missionId }) => missionId);

test("of missions that are claimed together each gets what it would get alone", async () => {
  const replica = connect("r-1");
  await addAgent("two", { max_concurrent_missions: 2 });
  await addAgent("spent", { max_concurrent_missions: 9, max_tokens_per_day: 7 });
  await addAgent("changed", { max_concurrent_missions: 9 });
  await addMissions("two", ["a-1", "a-2", "a-3", "a-4"]);
  await addMissions("spent", ["b-1"]);
  await addMissions("changed", ["c-1"]);
  await addMissions(null, ["d-1", "d-2", "d-3"]);
  const wanted = await wantedOf(replica);
  await own.sql`
    INSERT INTO agent_tokens (tenant_id, user_id, agent_id, minute, tokens)
    VALUES ('default', 'ada', 'spent', date_trunc('minute', now()), 7)`;
  await own.sql`UPDATE agent_snapshots SET version = 2 WHERE record_id = 'changed'`;
  await own.sql`UPDATE mission_snapshots SET due_at = now() WHERE record_id = 'd-2'`;
  const [taken] = await replica.claim(wanted.slice(6, 7), replica.by);
  expect(taken).toMatchObject({ missionId: "d-1", token: 1 });

  const outcomes = await replica.claim(wanted, replica.by);
  expect(outcomes.map((one) => (typeof one === "string" ? one : ids([one])[0]))).toEqual([
    ...["a-1", "a-2", "concurrency", "concurrency"],
    ...["budget", "gone", "gone", "gone", "d-3"],
  ]);
  expect(await runningOf("two")).toEqual(["a-1 1", "a-2 1"]);
  // Those that had no place are free again, and one gets the place that is left.
  const [first] = outcomes;
  if (first === undefined || typeof first === "string") throw new Error("no claim");
  await replica.fail(first, { pauseMs: 60_000, counts: true, tokens: 0 });
  expect(ids(await claimAll(replica))).toEqual(["a-3", "c-1"]);
  expect(await runningOf("two")).toEqual(["a-2 1", "a-3 2"]);
});

test("of plans that are written together one whose claim was lost, and one that is refused, are the only ones missing", async () => {
  const [frozen, other] = [connect("r-1"), connect("r-2")];
  await addAgent("a", { max_concurrent_missions: 9 });
  await addMissions("a", ["good", "late", "lost", "refused", "rewritten", "skipped"]);
  const claims = await claimAll(frozen);
  await expire("late", "lost");
  const lost = (await wantedOf(other)).filter(({ mission }) => mission.missionId === "lost");
  const [taken] = await other.claim(lost, other.by);
  expect(taken).toMatchObject({ missionId: "lost", token: 2 });
  await own.sql`UPDATE mission_snapshots SET version = 2 WHERE record_id = 'rewritten'`;
  const results = await Promise.allSettled(
    claims.map((claim) => {
      if (claim.missionId === "skipped") return frozen.commit(claim, null);
      return frozen.commit(claim, claim.missionId === "refused" ? "\0" : "of the first");
    }),
  );
  expect(
    results.map((one, i) => [
      claims[i]?.missionId,
      one.status === "fulfilled" ? one.value : one.reason.code,
    ]),
  ).toEqual([
    ...[["good", true] as const, ["late", false] as const, ["lost", false] as const],
    ...[["refused", "bad_request"] as const, ["rewritten", false] as const],
    ["skipped", true],
  ]);
  expect(await iterations()).toEqual(["good 1 of the first"]);
  const written = await own.sql`
    SELECT record_id AS id FROM mission_snapshots WHERE due_at IS NULL ORDER BY 1`;
  expect(written.map(({ id }) => id)).toEqual(["good", "skipped"]);
  const [outbox] = await own.sql`SELECT count(*)::int AS n FROM mission_outbox`;
  expect(outbox).toEqual({ n: 2 });
  // Only who has its claim gives back its place.
  expect(await runningOf("a")).toEqual(["lost 2", "refused 1", "rewritten 1"]);
  if (taken === undefined || typeof taken === "string") throw new Error("no claim");
  expect(await other.commit(taken, "of the second")).toBe(true);
  expect(await iterations()).toEqual(["good 1 of the first", "lost 2 of the second"]);
  const [tokens] = await own.sql`SELECT sum(tokens)::int AS n FROM agent_tokens`;
  expect(tokens).toEqual({ n: 10 });
});

test("what comes at the same time is one statement each: claims, plans, and claims without a result", async () => {
  const replica = connect("r-1");
  await addAgent("a", { max_concurrent_missions: 9 });
  await addMissions("a", ["m-1", "m-2", "m-3", "m-4", "m-5", "m-6"]);
  const wanted = await wantedOf(replica);
  statements = 0;
  const claims = await replica.claim(wanted, replica.by);
  expect(statements).toBe(1);
  const some = claims.filter((one) => typeof one !== "string").slice(0, 4);
  expect(await Promise.all(some.map((claim) => replica.commit(claim, "x")))).toEqual(
    Array(4).fill(true),
  );
  expect(statements).toBe(2);
  const rest = claims.filter((one) => typeof one !== "string").slice(4);
  const failure = { pauseMs: 60_000, counts: true, tokens: 3 };
  await Promise.all(rest.map((claim) => replica.fail(claim, failure)));
  expect(statements).toBeLessThanOrEqual(4);
  expect(await runningOf("a")).toEqual([]);
});

test("a mission whose plan is being written is not claimed by who has seen it before", async () => {
  const [first, second] = [connect("r-1"), connect("r-2")];
  await addAgent("a", { max_concurrent_missions: 9 });
  await addMissions("a", ["m-1", "m-2"]);
  const seen = await wantedOf(second);
  expect(ids(await claimAll(first))).toEqual(["m-1", "m-2"]);
  const holder = await own.sql.reserve();
  await holder`BEGIN`;
  await holder`UPDATE mission_claims SET expires_at = '-infinity' WHERE mission_id = 'm-1'`;
  const outcomes = second.claim(seen, second.by);
  await eventually(async () => {
    const [row] = await own.sql`
      SELECT count(*)::int AS n FROM pg_stat_activity
      WHERE datname = current_database() AND wait_event_type = 'Lock'`;
    return row?.["n"] === 1;
  });
  await holder`COMMIT`;
  holder.release();
  expect(await outcomes).toEqual(["gone", "gone"]);
});

test("of claims that end together without a result, only those that stand end", async () => {
  const [frozen, other] = [connect("r-1"), connect("r-2")];
  await addAgent("a", { max_concurrent_missions: 9 });
  await addMissions("a", ["m-1", "m-2", "m-3"]);
  const claims = await claimAll(frozen);
  await expire("m-2");
  expect(ids(await claimAll(other))).toEqual(["m-2"]);
  const failure = { pauseMs: 60_000, counts: true, tokens: 3 };
  await Promise.all(claims.map((claim) => frozen.fail(claim, failure)));
  const rows = await own.sql`
    SELECT mission_id AS id, token::int, failures, expires_at > now() AS live, retry_at > now() AS waits
    FROM mission_claims ORDER BY 1`;
  expect(rows.map((row) => ({ ...row }))).toEqual([
    { id: "m-1", token: 1, failures: 1, live: false, waits: true },
    { id: "m-2", token: 2, failures: 0, live: true, waits: null },
    { id: "m-3", token: 1, failures: 1, live: false, waits: true },
  ]);
  expect(await runningOf("a")).toEqual(["m-2 2"]);
  const [tokens] = await own.sql`SELECT sum(tokens)::int AS n FROM agent_tokens`;
  expect(tokens).toEqual({ n: 6 });
});

test("replicas that claim, write and fail the same missions at once never wait in a circle, nor pass a limit", async () => {
  const agents = ["a", "b", "c", "d"];
  const limits = new Map(agents.map((agent, i) => [agent, i + 1]));
  for (const [agent, limit] of limits) {
    await addAgent(agent, { max_concurrent_missions: limit });
    const missions = Array.from({ length: 30 }, (_, i) => `${i}-${agent}`);
    await addMissions(agent, missions);
  }
  let most = 0;
  const look = async () => {
    const rows = await own.sql<{ agent: string; n: number }[]>`
      SELECT agent_id AS agent, (SELECT count(*)::int FROM jsonb_object_keys(running)) AS n FROM agent_claims`;
    for (const { agent, n } of rows) expect(n, agent).toBeLessThanOrEqual(limits.get(agent) ?? 0);
    most = Math.max(most, ...rows.map(({ n }) => n));
  };
  const failure = { pauseMs: 0, counts: true, tokens: 1 };
  let written = 0;
  async function work(replica: Replica, number: number): Promise<void> {
    while (written < 120) {
      const wanted = await wantedOf(replica);
      // Half of them see the list from its end.
      const outcomes = await replica.claim(
        number % 2 === 0 ? wanted : wanted.reverse(),
        replica.by,
      );
      await look();
      const claims = outcomes.filter((one) => typeof one !== "string");
      const ends = claims.map(async (claim, i) => {
        if (i % 4 === number) return await replica.fail(claim, failure);
        expect(await replica.commit(claim, "x")).toBe(true);
        written += 1;
      });
      await Promise.all(ends);
    }
  }
  await Promise.all([0, 1, 2, 3].map((number) => work(connect(`r-${number}`), number)));
  expect([written, most]).toEqual([120, 4]);
  expect(new Set((await iterations()).map((text) => text.split(" ")[0])).size).toBe(120);
  for (const agent of agents) expect(await runningOf(agent)).toEqual([]);
}, 60_000);
