import { expect, test } from "vitest";
import { eventually } from "../rig/eventually.ts";
import { startReplicaOfTest } from "../rig/replica.ts";
import { get, openStack, type Stack } from "../rig/service.ts";
import type { WireEvent } from "../rig/traffic.ts";
import { secrets } from "../unit/schema/secrets.ts";

const lessonOfOne = {
  // Windows that are over are looked for four times in one.
  EXPERIENCE_WINDOW_SECONDS: "20",
  EXPERIENCE_ERROR_THRESHOLD: "1",
  EXPERIENCE_SILENT_THRESHOLD: "1",
  EXPERIENCE_LATENCY_THRESHOLD: "1",
  EXPERIENCE_OK_SAMPLE_PCT: "100",
};

/** Where something of an event may be kept, or of what an agent asks and says of its run. */
const tablesOfEvents = [
  ...["agent_lessons", "lesson_sightings", "wide_evidence", "signature_windows", "run_windows"],
  ...["lesson_windows", "lesson_exposures", "run_outcomes", "run_activity", "lesson_recurrences"],
  ...["experience_counts", "experience_agents", "user_features", "feature_events"],
  ...["agent_runs", "agent_events", "review_entries", "review_events"],
];

/** Events with the secret in every text that there is: a failure of a tool, one of a model, silence, a success, no event. */
function eventsWith(text: string): WireEvent[] {
  const id = text.slice(0, 128);
  const common = {
    ...{ tenant_id: id, agent_id: id, task_type: text, run_id: id, request_id: text },
    ts: new Date(Date.now() - 2 * 3_600_000).toISOString(),
    ...{ source: text, node: text, policy: { reason: text } },
    llm: { provider: text, model: text, profile: text, latency_ms: 9_000 },
    result: { ok: false, error_class: `refused: ${text}`, error_message: text },
  };
  return [
    { ...common, event_id: `tool ${text}`.slice(0, 128), tool: { name: text } },
    { ...common, event_id: `model ${text}`.slice(0, 128) },
    {
      ...common,
      event_id: `message ${text}`.slice(0, 128),
      result: { ok: false, error_message: text },
    },
    {
      ...common,
      event_id: `silent ${text}`.slice(0, 128),
      policy: { sowa_decision: "SILENT", reason: text },
    },
    {
      ...common,
      event_id: `fine ${text}`.slice(0, 128),
      result: { ok: true },
      tool: { name: text },
    },
    { ...common, event_id: `invalid ${text}`.slice(0, 128), result: { ok: text } },
  ];
}

/** Every row of every table, every message of what is published or kept in KV; and which tables have rows. */
async function everythingStored({ database: { sql }, broker: { js, jsm } }: Stack) {
  const found: string[] = [];
  const tables = await sql<{ name: string }[]>`
    SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'public'`;
  const filled: string[] = [];
  for (const { name } of tables) {
    const rows = await sql`SELECT to_jsonb(t) AS row FROM ${sql(name)} t`;
    if (rows.length > 0) filled.push(name);
    found.push(...rows.map(({ row }) => JSON.stringify(row)));
  }
  const written = (await jsm.streams.list().next()).filter(
    ({ config }) => config.name === "LESSONS" || config.name.startsWith("KV_"),
  );
  for (const { config, state } of written) {
    if (state.messages === 0) continue;
    const reader = await js.consumers.get(config.name);
    const messages = await reader.fetch({ max_messages: state.messages, expires: 5_000 });
    for await (const message of messages) {
      found.push(message.subject, message.string(), String(message.headers));
    }
  }
  return { rows: found, filled };
}

/** What agents ask, and say of their runs, with the secret wherever a text may be. */
async function askEverywhere({ broker: { nc } }: Stack): Promise<void> {
  const ask = (subject: string, request: object) =>
    nc.request(`experience.${subject}`, JSON.stringify(request), { timeout: 20_000 });
  for (const { text } of secrets) {
    const id = text.slice(0, 128);
    const of = { tenant_id: id, agent_id: id, task_type: text, run_id: id };
    const reply = await ask("lessons.recall", { ...of, tool: text, model: text, provider: text });
    expect(reply.json()).toMatchObject({ recorded: true });
    await ask("lessons.outcome", { tenant_id: id, run_id: id, success: false });
  }
}

async function isIdle({ broker: { jsm } }: Stack): Promise<boolean> {
  for (const stream of ["EXPERIENCE", "SIGNALS", "FEEDBACK", "RUNS"]) {
    const { state } = await jsm.streams.info(stream);
    for (const { ack_floor, config } of await jsm.consumers.list(stream).next()) {
      if (config.durable_name !== undefined && ack_floor.stream_seq < state.last_seq) return false;
    }
  }
  return true;
}

/** Windows are counted when they are over. */
async function isCounted({ database: { sql } }: Stack): Promise<boolean> {
  const [row] =
    await sql`SELECT count(*) FILTER (WHERE counted > 0)::int AS counted FROM window_marks`;
  return row?.["counted"] > 0;
}

async function publishEverywhere({ broker: { js } }: Stack): Promise<void> {
  const send = (subject: string, event: object) => js.publish(subject, JSON.stringify(event));
  const sent = secrets.flatMap(({ text }, i) => {
    const short = text.slice(0, 120);
    const ofUser = { event_id: `u ${short}`, user_id: `user ${short}`, type: `did ${short}` };
    const said = { rating: -1, text: `it said ${text}`, run_id: short };
    const run = { run_id: `r-${i}`, event_id: `e-${short}`, agent_id: short, session_id: short };
    return [
      ...eventsWith(text).map((event) => send("agent.experience.v1.scout", event)),
      send("signals.task.synced", { ...ofUser, payload: { source: text } }),
      send("signals.other", { ...ofUser, event_id: `o ${short}` }),
      send("feedback.tip", { ...ofUser, event_id: `f ${short}`, payload: said }),
      send(`agent.run.v1.r-${i}`, {
        ...run,
        type: "run_failed",
        data: { error: text, deep: [text] },
      }),
    ];
  });
  await Promise.all(sent);
}

test("forty secrets in every field of events are in no table, message, document, log line or metric", async () => {
  expect(secrets.length).toBeGreaterThanOrEqual(40);
  const stack = await openStack();
  const replica = startReplicaOfTest(stack.env({ LOG_LEVEL: "trace", ...lessonOfOne }));
  const { httpPort } = await replica.ready();
  await publishEverywhere(stack);
  await eventually(() => isIdle(stack), 60_000);

  await eventually(() => isCounted(stack), 30_000);
  await askEverywhere(stack);
  // What runs do is kept where their tenant has lessons by then.
  await publishEverywhere(stack);
  await eventually(() => isIdle(stack), 60_000);
  const { rows, filled } = await everythingStored(stack);
  expect(tablesOfEvents.filter((table) => !filled.includes(table))).toEqual([]);
  const [learned] = await stack.database.sql`SELECT count(*)::int AS count FROM agent_lessons`;
  expect(learned?.["count"]).toBeGreaterThanOrEqual(4 * secrets.length);
  const said = [...replica.log.map((line) => JSON.stringify(line)), ...replica.complaints];
  expect(said.length).toBeGreaterThan(0);
  const { text: metrics } = await get(httpPort, "/metrics");
  const everything = [...rows, ...said, metrics].join("\n");
  const leaked = secrets.filter(({ hidden }) =>
    [hidden, JSON.stringify(hidden).slice(1, -1)].some((form) => everything.includes(form)),
  );
  expect(leaked.map(({ what }) => what)).toEqual([]);
}, 90_000);
