import { expect, test } from "vitest";
import { eventually } from "../rig/eventually.ts";
import { openStack, type Stack } from "../rig/service.ts";
import { ask } from "../rig/traffic.ts";

type Row = Record<string, unknown>;

const eventsOf = ({ database: { sql } }: Stack, run: string) =>
  sql<Row[]>`SELECT cursor::int, event_type AS type FROM agent_events
    WHERE run_id = ${run} ORDER BY cursor`;
const runOf = ({ database: { sql } }: Stack, run: string) =>
  sql<Row[]>`SELECT * FROM agent_runs WHERE run_id = ${run}`.then(([row]) => row);

const publish = ({ broker: { js } }: Stack, run_id: string, ...events: Row[]) =>
  Promise.all(
    events.map((event) =>
      js.publish(`agent.run.v1.${run_id}`, JSON.stringify({ run_id, ...event })),
    ),
  );

test("events of a run are stored in stream order under cursors from 1 on", async () => {
  const stack = await openStack();
  await stack.start();
  const types = Array.from({ length: 20 }, (_, i) => `step-${i}`);
  for (const type of types) await publish(stack, "r1", { type, agent_id: "scout" });
  await publish(stack, "r1", { type: "run_completed" });
  await eventually(async () => (await runOf(stack, "r1"))?.["status"] === "completed");
  expect(await eventsOf(stack, "r1")).toEqual(
    [...types, "run_completed"].map((type, i) => ({ cursor: i + 1, type })),
  );
  expect(await runOf(stack, "r1")).toMatchObject({ agent_id: "scout", status: "completed" });
});

test("a run that mixes cursors of its own with assigned ones is refused", async () => {
  const stack = await openStack();
  await stack.start();
  await publish(stack, "r1", { type: "a", cursor: 5 });
  await publish(stack, "r1", { type: "b" });
  await publish(stack, "r1", { type: "c", cursor: 7 });
  await eventually(async () => (await eventsOf(stack, "r1")).length === 2);
  expect((await eventsOf(stack, "r1")).map(({ cursor }) => cursor)).toEqual([5, 7]);
  await eventually(
    async () => (await stack.broker.jsm.streams.info("DEAD_LETTERS")).state.messages === 1,
  );
});

test("runs-append answers with cursors, and reads give the events back", async () => {
  const stack = await openStack();
  await stack.start();
  const { nc } = stack.broker;
  const events = [
    { run_id: "r1", type: "run_started", data: { question: "why?" } },
    { run_id: "r1", type: "token", event_id: "t" },
    { run_id: "r1", type: "token", event_id: "t" },
    { run_id: "r1" },
  ];
  const { body } = await ask(nc, "experience.runs.append", events);
  expect(body).toMatchObject({ stored: 2, duplicates: 1, cursors: [1, 2, null, null] });
  expect(body.invalid).toMatchObject([{ index: 3 }]);
  const run = await ask(nc, "experience.runs.get", { run_id: "r1" });
  expect(run.body).toMatchObject({ status: "running", question: "why?", last_cursor: 2 });
  const found = await ask(nc, "experience.runs.events", { run_id: "r1", after: 1 });
  expect(found.body.events).toMatchObject([{ cursor: 2, type: "token", event_id: "t" }]);
  expect((await ask(nc, "experience.runs.heartbeat", { run_id: "r1" })).body).toEqual({
    alive: true,
  });
  expect((await ask(nc, "experience.runs.heartbeat", { run_id: "r2" })).errorCode).toBe("404");
  expect((await ask(nc, "experience.runs.latest", { run_id: "r1" })).body.cursor).toBe(2);
  expect((await ask(nc, "experience.runs.list", {})).body.runs).toMatchObject([{ run_id: "r1" }]);
});

test("a reader gets what is stored, then what comes, and the stream ends with the run", async () => {
  const stack = await openStack();
  const service = await stack.start();
  const { nc } = stack.broker;
  const append = (type: string) => ask(nc, "experience.runs.append", { run_id: "r/1", type });
  for (let i = 0; i < 3; i++) await append("before");
  const url = `http://127.0.0.1:${service.httpPort}/runs/r%2F1/events`;
  const response = await fetch(url, { headers: { "Last-Event-ID": "1" } });
  expect(response.headers.get("content-type")).toContain("text/event-stream");
  for (let i = 0; i < 3; i++) await append("after");
  await append("run_failed");
  const text = await response.text();
  const ids = [...text.matchAll(/^id: (\d+)$/gm)].map(([, id]) => Number(id));
  expect(ids).toEqual([2, 3, 4, 5, 6, 7]);
  expect(text).toContain("event: run_failed\n");
  expect((await fetch(url, { headers: { "Last-Event-ID": "7" } })).status).toBe(204);
  expect((await fetch(url.replace("r%2F1", "nobody"))).status).toBe(404);
});

test("a run whose heartbeat is too old is ended once, and its readers hear of it", async () => {
  const stack = await openStack();
  const service = await stack.start({ RUN_STALE_SECONDS: "1" });
  await ask(stack.broker.nc, "experience.runs.append", { run_id: "r1", type: "run_started" });
  const response = await fetch(`http://127.0.0.1:${service.httpPort}/runs/r1/events`);
  expect(await response.text()).toContain('"source":"reaper"');
  expect(await runOf(stack, "r1")).toMatchObject({
    status: "failed",
    error: { source: "reaper" },
  });
});

test("an event id like the reaper's own keeps no abandoned run alive, and no replica from working", async () => {
  const stack = await openStack();
  const service = await stack.start({ RUN_STALE_SECONDS: "1" });
  const events = [
    { run_id: "r1", type: "a", event_id: "reaper:2" },
    { run_id: "r2", type: "a" },
  ];
  await ask(stack.broker.nc, "experience.runs.append", events);
  for (const run of ["r1", "r2"]) {
    await eventually(async () => (await runOf(stack, run))?.["status"] === "failed", 10_000);
  }
  expect(service.fatal).toEqual([]);
});

test("no run is ended while its events wait in the stream", async () => {
  const stack = await openStack();
  const first = await stack.start({ RUN_STALE_SECONDS: "60" });
  await publish(stack, "r1", { type: "a" });
  await eventually(async () => (await eventsOf(stack, "r1")).length === 1);
  await first.stop();
  const { sql } = stack.database;
  await sql`UPDATE agent_runs SET heartbeat_at = now() - interval '1 hour'`;
  await publish(stack, "r1", { type: "b" });
  await stack.start({ RUN_STALE_SECONDS: "60" });
  await eventually(async () => (await eventsOf(stack, "r1")).length === 2);
  expect(await runOf(stack, "r1")).toMatchObject({ status: "running" });
});

test("a stream that has gone back is read on from its end, with a warning", async () => {
  const stack = await openStack();
  const first = await stack.start();
  await publish(stack, "r1", { type: "a" });
  const { sql } = stack.database;
  await eventually(async () => (await sql`SELECT FROM stream_positions`).length === 1);
  await first.stop();
  await sql`UPDATE stream_positions SET position = position + 3`;
  const service = await stack.start();
  await eventually(async () => service.hasLogged("stream sequence moved backwards"));
  await publish(stack, "r1", { type: "b" });
  await eventually(async () => (await eventsOf(stack, "r1")).length === 2);
});

test("a replica that stands by and stops leaves the reader its durable", async () => {
  const stack = await openStack();
  const reader = await stack.start();
  await eventually(async () => reader.hasLogged("lease taken"));
  const created = async () =>
    (await stack.broker.jsm.consumers.info("RUNS", "run-recorder-v1")).created;
  await eventually(() => created().then(Boolean, () => false));
  const before = await created();
  const standby = await stack.start();
  await standby.stop();
  expect(await created()).toBe(before);
});
