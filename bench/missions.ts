import postgres from "postgres";
import { endpointSubject } from "../src/subjects.ts";
import type { Part } from "./part.ts";
import { cpuSecondsOf, cpuSecondsOfProcess } from "./process-times.ts";
import { type Rig, startContender, stopContender, until } from "./rig.ts";
import { freePort, metricsOf, statementsOf, sumOf } from "./service-metrics.ts";

export interface MissionsFigures {
  readonly active: number;
  readonly due: number;
  /** CPU seconds of the replica, from the tick to the last plan published, and of PostgreSQL. */
  readonly serviceSeconds: number;
  readonly databaseSeconds: number;
  /** Calls of PostgreSQL by that tick. */
  readonly statements: number;
  /** The same for missions that their agents may not run. */
  readonly held: { readonly serviceSeconds: number; readonly statements: number };
}

const agents = 50;

/** One replica, one tick: missions that are due are planned by a planner that answers at once. */
export async function measureMissions(
  rig: Rig,
  { active, due }: { readonly active: number; readonly due: number },
): Promise<MissionsFigures> {
  const port = await freePort();
  const child = startContender("../dist/main.js", {
    ...{ NATS_URL: rig.natsUrl, LEARNER_DATABASE_URL: rig.databaseUrl, HTTP_PORT: String(port) },
    ...{ EXPERIENCE_CONCERNS: "missions", MISSION_PLANNER: "nats:bench.planner" },
    MISSION_TICK_SECONDS: "3600",
  });
  const sql = postgres(rig.databaseUrl, { max: 1 });
  const plan = JSON.stringify({ summary: "done", steps: [], tokens_used: 1 });
  const planner = rig.nc.subscribe("bench.planner", {
    callback: (_, message) => void message.respond(plan),
  });
  const ticks = async () => sumOf(await metricsOf(port), "mission_tick_duration_seconds_count");
  try {
    await until(async () => (await ticks().catch(() => 0)) > 0);
    await insertMissions(sql, active);
    const measured = async (state: string, done: () => Promise<boolean>) => {
      await makeDue(sql, due, state);
      const before = [
        cpuSecondsOfProcess(child.pid),
        cpuSecondsOf("postgres"),
        await statementsOf(port),
      ];
      await rig.nc.request(endpointSubject("missions-tick"), "", { timeout: 30_000 });
      await until(done);
      const after = [
        cpuSecondsOfProcess(child.pid),
        cpuSecondsOf("postgres"),
        await statementsOf(port),
      ];
      const [serviceSeconds = 0, databaseSeconds = 0, statements = 0] = after.map(
        (value, i) => value - (before[i] ?? 0),
      );
      return { serviceSeconds, databaseSeconds, statements };
    };
    const before = await ticks();
    const held = await measured("paused", async () => (await ticks()) > before);
    const written = await measured("active", async () => {
      const [row] = await sql`
        SELECT (SELECT count(*)::int FROM mission_iterations) AS n, (SELECT count(*)::int FROM mission_outbox) AS left`;
      return row?.["n"] === due && row["left"] === 0;
    });
    return { active, due, ...written, held };
  } finally {
    planner.unsubscribe();
    await sql.end();
    await stopContender(child);
  }
}

async function insertMissions(sql: postgres.Sql, active: number): Promise<void> {
  await sql`
    INSERT INTO agent_snapshots (tenant_id, user_id, record_id, record, field_meta, deleted, version)
    SELECT 'default', 'bench', 'agent-' || number, jsonb_build_object('name', 'Agent ' || number, 'role', 'scout',
      'system_prompt', repeat('You look for news. ', 50), 'state', 'active', 'max_concurrent_missions', 100),
      '{}', false, 1
    FROM generate_series(0, ${agents - 1}::int) AS number`;
  await sql`
    INSERT INTO mission_snapshots (tenant_id, user_id, record_id, record, field_meta, deleted, version, due_at, agent_id)
    SELECT 'default', 'bench', 'mission-' || number, jsonb_build_object('title', 'Mission ' || number,
      'objective', repeat('find what is new ', 20), 'state', 'active', 'every_seconds', 86400,
      'next_run_at', '2099-01-01T00:00:00.000Z', 'agent_id', 'agent-' || number % ${agents}), '{}', false, 1,
      '2099-01-01', 'agent-' || number % ${agents}
    FROM generate_series(1, ${active}::int) AS number`;
  await sql`ANALYZE mission_snapshots, agent_snapshots`;
}

/** The first so many of them, their agents in that state. */
async function makeDue(sql: postgres.Sql, due: number, state: string): Promise<void> {
  const at = new Date(Date.now() - 60_000).toISOString();
  await sql`UPDATE agent_snapshots SET record = record || jsonb_build_object('state', ${state}::text)`;
  await sql`
    UPDATE mission_snapshots SET due_at = ${at}::timestamptz, version = version + 1,
      record = record || jsonb_build_object('next_run_at', ${at}::text)
    WHERE substr(record_id, 9)::int <= ${due}`;
}

export const missionsPart: Part<MissionsFigures> = {
  name: "missions",
  measure({ rig, quick }) {
    return measureMissions(rig, quick ? { active: 200, due: 20 } : { active: 10_000, due: 1_000 });
  },
  report({ active, due, serviceSeconds, databaseSeconds, statements, held }) {
    return [
      `Missions, ${due} due of ${active}: a tick and its plans ${serviceSeconds.toFixed(2)} s of CPU, PostgreSQL ${databaseSeconds.toFixed(2)} s, ${(statements / due).toFixed(1)} statements a plan`,
      `Where no agent may run: ${held.serviceSeconds.toFixed(2)} s, ${held.statements} statements`,
    ];
  },
};
