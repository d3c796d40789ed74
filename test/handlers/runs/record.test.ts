import { expect, test } from "vitest";
import { openStack, type Stack } from "../../rig/service.ts";
import { ask, bodyOf } from "../../rig/traffic.ts";

type Json = Record<string, unknown>;

const call = ({ broker: { nc } }: Stack, what: string, request: unknown = {}) =>
  ask(nc, `experience.runs.${what}`, request);

async function started() {
  const stack = await openStack();
  const service = await stack.start();
  return { stack, service };
}

/** A stack on which `r1` has the events given, or one. */
async function withRun(...events: Json[]) {
  const all = await started();
  const given = events.length > 0 ? events : [{ type: "step" }];
  await bodyOf(
    call(
      all.stack,
      "append",
      given.map((one) => ({ run_id: "r1", ...one })),
    ),
  );
  return all;
}

/** Everything that is stored, but for times that reading could have moved. */
const tablesOf = async ({ database: { sql } }: Stack) => [
  await sql`SELECT * FROM agent_runs ORDER BY tenant_id, run_id`,
  await sql`SELECT * FROM agent_events ORDER BY tenant_id, run_id, cursor`,
];

const runsOf = ({ runs }: { runs: { run_id: string }[] }) => runs.map(({ run_id }) => run_id);

const secret = "hunter2";
const long = secret.repeat(20);

test("requests that cannot be read are refused with 400, by field, without repeating them", async () => {
  const { stack } = await withRun();
  const before = await tablesOf(stack);
  const key = ["heartbeat", "get", "events", "latest"];
  const bad: [string, unknown, RegExp][] = [
    ...key.flatMap((what): [string, unknown, RegExp][] => [
      [what, "", /^event: .*run_id/],
      [what, "{", /^not JSON$/],
      [what, [], /^not a JSON object$/],
      [what, { run_id: "" }, /^run_id: /],
      [what, { run_id: 1.5 }, /^run_id: /],
      [what, { run_id: long }, /^run_id: /],
      [what, { run_id: `${secret}\u0000` }, /^has a NUL character$/],
      [what, { run_id: "r1", tenant_id: long }, /^tenant_id: /],
      [what, { run_id: "r1", tenant_id: [secret] }, /^tenant_id: /],
    ]),
    ...[-2, 1.5, "7.5", 2 ** 53, true].map(
      (after): [string, unknown, RegExp] =>
        [...["events" as const, { run_id: "r1", after }, /^after: /]] as [string, unknown, RegExp],
    ),
    ["events", { run_id: "r1", limit: 0 }, /^limit: /],
    ["events", { run_id: "r1", limit: 1_001 }, /^limit: /],
    ["latest", { run_id: "r1", type: 17 }, /^type: /],
    ["latest", { run_id: "r1", type: long }, /^type: /],
    ["list", { status: secret }, /^status: /],
    ["list", { agent_id: 2 ** 53 }, /^agent_id: .*send it as a string$/],
    ["list", { limit: 0 }, /^limit: /],
    ["list", { limit: 1_001 }, /^limit: /],
    ["list", { since: secret }, /^since: expected ISO 8601, or an epoch time/],
    ["list", { until: 1e300 }, /^until: expected ISO 8601, or an epoch time/],
    ["list", { since: true }, /^since: /],
    ["append", "", /^the request is empty$/],
    ["append", "{", /^not JSON$/],
  ];
  for (const [what, request, reason] of bad) {
    const answer = await call(stack, what, request);
    expect([what, request, answer.errorCode, answer.body.code]).toEqual([
      ...[what, request, "400", "bad_request"],
    ]);
    expect(answer.body.message).toMatch(reason);
    expect(answer.body.message).not.toContain(secret);
  }
  expect(await tablesOf(stack)).toEqual(before);
});

test("runs-list refuses with 400 what is no cursor of a reply", async () => {
  const { stack } = await withRun();
  const at = (...place: unknown[]) => Buffer.from(JSON.stringify(place)).toString("base64url");
  const places = [
    ["r1"],
    [1],
    [1, ""],
    [-1, "r1"],
    [1.5, "r1"],
    ["1", "r1"],
    [1, long],
    [1, "\0"],
    [1, "r1", 2],
    [253_402_300_800_000, "r1"],
  ];
  const cursors = ["r1", "1:r1", "x".repeat(2_049), 7];
  for (const cursor of [...cursors, ...places.map((place) => at(...place))]) {
    const { errorCode, body } = await call(stack, "list", { cursor });
    expect([cursor, errorCode, body.code]).toEqual([cursor, "400", "bad_request"]);
  }
  expect(
    runsOf(await bodyOf(call(stack, "list", { cursor: at(253_402_300_799_999, "z") }))),
  ).toEqual(["r1"]);
});

test.for(["heartbeat", "get", "events", "latest"])(
  "runs-%s of an unknown run is 404",
  async (what) => {
    const { stack } = await withRun();
    const before = await tablesOf(stack);
    for (const request of [
      { run_id: "r2" },
      { run_id: "R1" },
      { run_id: "r1", tenant_id: "acme" },
    ]) {
      const answer = await call(stack, what, request);
      expect(answer).toMatchObject({ errorCode: "404", body: { code: "not_found" } });
    }
    expect(await tablesOf(stack)).toEqual(before);
  },
);

test("an event of a type that the run has none of is 404; events after its newest are none", async () => {
  const { stack } = await withRun({ type: "step" });
  expect((await call(stack, "latest", { run_id: "r1", type: "token" })).errorCode).toBe("404");
  expect(await bodyOf(call(stack, "events", { run_id: "r1", after: 1 }))).toEqual({ events: [] });
});

test("a foreign tenant sees nothing of a run and changes nothing about it", async () => {
  const { stack } = await withRun({ type: "run_started", data: { question: secret } });
  const before = await tablesOf(stack);
  const foreign = { tenant_id: "acme", run_id: "r1" };
  for (const what of ["get", "events", "latest", "heartbeat"]) {
    const answer = await call(stack, what, foreign);
    expect(answer.errorCode).toBe("404");
    expect(JSON.stringify(answer.body)).not.toContain(secret);
  }
  expect(await bodyOf(call(stack, "list", { tenant_id: "acme" }))).toEqual({
    ...{ runs: [], cursor: null },
  });
  await bodyOf(call(stack, "append", { ...foreign, type: "run_cancelled" }));
  const after = await tablesOf(stack);
  const ours = after.map((rows) => rows.filter((row) => row["tenant_id"] === "default"));
  expect(ours).toEqual(before.map((rows) => [...rows]));
});

test("events of two tenants with the same run id stay apart", async () => {
  const { stack } = await started();
  const events = Array.from({ length: 40 }, (_, i) => ({
    ...{ run_id: "r1", event_id: `e${i >> 1}`, type: i % 2 === 0 ? "even" : "odd" },
    ...(i % 2 === 0 && { tenant_id: "acme" }),
  }));
  const { stored, cursors } = await bodyOf(call(stack, "append", events));
  expect(stored).toBe(40);
  expect(cursors).toEqual(events.map((_, i) => (i >> 1) + 1));
  for (const [tenant_id, type] of [
    ["acme", "even"],
    ["default", "odd"],
  ]) {
    const found = await bodyOf(call(stack, "events", { tenant_id, run_id: "r1" }));
    expect(found.events).toMatchObject(
      Array.from({ length: 20 }, (_, i) => ({ cursor: i + 1, event_id: `e${i}`, type })),
    );
    expect(await bodyOf(call(stack, "get", { tenant_id, run_id: "r1" }))).toMatchObject({
      ...{ tenant_id, last_cursor: 20 },
    });
  }
});

test("1,000 events in a request are stored, 1,001 are too many: none is", async () => {
  const { stack } = await started();
  const events = Array.from({ length: 1_001 }, () => ({ run_id: "r1", type: "token" }));
  expect(await call(stack, "append", events)).toMatchObject({
    ...{ errorCode: "413", body: { code: "too_large" } },
  });
  expect((await tablesOf(stack))[0]).toHaveLength(0);
  const reply = await bodyOf(call(stack, "append", events.slice(1)));
  expect(reply).toMatchObject({ stored: 1_000, duplicates: 0, invalid: [] });
  expect(reply.cursors).toEqual(events.slice(1).map((_, i) => i + 1));
});

test("an event that cannot be stored is named by its place, and keeps no other out", async () => {
  const { stack } = await started();
  const bad: [unknown, RegExp][] = [
    [{ type: secret }, /run_id/],
    [{ run_id: "r1" }, /type/],
    [{ run_id: "r1", type: "a", cursor: -1 }, /^cursor: /],
    [{ run_id: "r1", type: "a", ts: secret }, /^ts: expected ISO 8601/],
    [{ run_id: "r1", type: `${secret}\u0000` }, /^has a NUL character$/],
    [{ run_id: "r1", type: "a", data: { x: "x".repeat(256 * 1024) } }, /^has \d+ bytes, at most/],
    [{ run_id: "r1", type: "a", cursor: 7 }, /^this run's cursors are assigned/],
    [secret, /^event: /],
    [null, /^event: /],
    [[], /^event: /],
  ];
  const good = { run_id: "r1", type: "step" };
  const request = [good, ...bad.map(([event]) => event), good];
  const reply = await bodyOf(call(stack, "append", request));
  expect(reply).toMatchObject({ stored: 2, duplicates: 0 });
  expect(reply.cursors).toEqual([1, ...bad.map(() => null), 2]);
  expect(reply.invalid).toEqual(
    bad.map(([, reason], i) => ({ index: i + 1, reason: expect.stringMatching(reason) })),
  );
  expect(JSON.stringify(reply)).not.toContain(secret);
});

test("an event that is appended again is a duplicate; without an id, it is another", async () => {
  const { stack } = await withRun({ event_id: "a", type: "step" });
  const again = [
    { run_id: "r1", event_id: "a", type: "other" },
    { run_id: "r1", type: "step" },
    { run_id: "r1", type: "step" },
  ];
  expect(await bodyOf(call(stack, "append", again))).toMatchObject({
    ...{ stored: 2, duplicates: 1, invalid: [], cursors: [null, 2, 3] },
  });
  const nothing = { stored: 0, duplicates: 0, invalid: [], cursors: [] };
  expect(await bodyOf(call(stack, "append", []))).toEqual(nothing);
});

test("a run that has ended stays so, whatever comes later, and has no heartbeat", async () => {
  const { stack } = await withRun({ type: "run_completed", terminal_status: "quota_exceeded" });
  await bodyOf(call(stack, "append", { run_id: "r1", type: "run_failed" }));
  const run = await bodyOf(call(stack, "get", { run_id: "r1" }));
  expect(run).toMatchObject({ status: "quota_exceeded", last_cursor: 2, error: null });
  expect(await bodyOf(call(stack, "heartbeat", { run_id: "r1" }))).toEqual({ alive: false });
  expect(await bodyOf(call(stack, "get", { run_id: "r1" }))).toEqual(run);
});

test("pages of runs-list show each run once, the newest started first", async () => {
  const { stack } = await started();
  // Ten start at each time; some have a colon and a line break in their names.
  const names = Array.from({ length: 95 }, (_, i) => `${100 + i}:\n${i % 2}`);
  const events = names.map((run_id, i) => ({
    run_id,
    type: "a",
    ts: 1e12 + 1_000 * Math.floor(i / 10),
  }));
  await bodyOf(call(stack, "append", events));
  await bodyOf(call(stack, "append", { run_id: "x", tenant_id: "acme", type: "a" }));
  for (const limit of [1_000, 95, 10, 7]) {
    const found: string[] = [];
    for (let cursor: string | null | undefined; cursor !== null; ) {
      const page = await bodyOf(call(stack, "list", { limit, ...(cursor && { cursor }) }));
      found.push(...runsOf(page));
      cursor = page.cursor;
    }
    expect(found).toEqual(names.toReversed());
  }
});

test("a page keeps its filter, and goes on where it was though newer runs come", async () => {
  const { stack } = await started();
  const run = (i: number, agent_id: string) => ({
    run_id: `r${i}`,
    type: "a",
    agent_id,
    ts: 1e12 + i,
  });
  const runs = Array.from({ length: 10 }, (_, i) => run(i, i % 2 === 0 ? "scout" : "cook"));
  await bodyOf(call(stack, "append", runs));
  const filter = { agent_id: "scout", status: "running", since: 1e12 + 1, limit: 2 };
  const first = await bodyOf(call(stack, "list", filter));
  await bodyOf(call(stack, "append", run(20, "scout")));
  const second = await bodyOf(call(stack, "list", { ...filter, cursor: first.cursor }));
  expect([runsOf(first), runsOf(second)]).toEqual([
    ["r8", "r6"],
    ["r4", "r2"],
  ]);
  const third = await bodyOf(call(stack, "list", { ...filter, cursor: second.cursor }));
  expect(third).toEqual({ runs: [], cursor: null });
});

test("heartbeats of 5,000 live runs that are sent at once are all answered within seconds", async () => {
  const { stack } = await started();
  const { sql } = stack.database;
  await sql`INSERT INTO agent_runs (tenant_id, run_id, status, started_at, heartbeat_at, cursor_mode,
      last_cursor, version)
    SELECT 'default', 'r' || i, 'running', now(), now() - interval '50 seconds', 'assigned', 0, 1
    FROM generate_series(1, 5000) AS i`;
  const begin = performance.now();
  const answers = await Promise.all(
    Array.from({ length: 5_000 }, (_, i) => call(stack, "heartbeat", { run_id: `r${i + 1}` })),
  );
  const elapsedMs = performance.now() - begin;
  expect(new Set(answers.map(({ body }) => JSON.stringify(body)))).toEqual(
    new Set(['{"alive":true}']),
  );
  expect(elapsedMs).toBeLessThan(20_000);
  const [row] = await sql`SELECT count(*)::int AS old FROM agent_runs
    WHERE heartbeat_at < now() - interval '30 seconds'`;
  expect(row).toEqual({ old: 0 });
});

test("heartbeats that come together are answered each for its own run", async () => {
  const { stack } = await withRun({ type: "step" }, { type: "run_failed", run_id: "ended" });
  const runs = ["r1", "ended", "unknown", "r1", "ended", "r1"];
  const answers = await Promise.all(runs.map((run_id) => call(stack, "heartbeat", { run_id })));
  const said = answers.map(({ body, errorCode }) => body.alive ?? errorCode);
  expect(said).toEqual([true, false, "404", true, false, true]);
});
