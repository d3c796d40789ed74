import { headers } from "@nats-io/transport-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { eventually } from "../../rig/eventually.ts";
import { figures, openStack, type Stack } from "../../rig/service.ts";
import { ask } from "../../rig/traffic.ts";

type Request = Record<string, unknown>;

const list = async (stack: Stack, request: Request = {}) =>
  (await ask(stack.broker.nc, "experience.deadletters.list", request)).body;
const replay = async (stack: Stack, request: Request) =>
  (await ask(stack.broker.nc, "experience.deadletters.replay", request)).body;

const purge = async (stack: Stack, request: Request) =>
  (await ask(stack.broker.nc, "experience.deadletters.purge", request)).body;
const get = async (stack: Stack, id: string | number) =>
  (await ask(stack.broker.nc, "experience.deadletters.get", { id })).body;
const statsOf = async (stack: Stack) => (await ask(stack.broker.nc, "experience.stats")).body;

interface Forged {
  readonly on?: string;
  readonly headers?: Record<string, string>;
  readonly payload?: string | Uint8Array;
}

/** Published to the dead letters' stream by somebody else, with headers as given; resolves to the ids. */
async function forge({ broker: { js } }: Stack, letters: readonly Forged[]): Promise<string[]> {
  const acks = letters.map(({ on = "dead.SIGNALS.other", headers: given = {}, payload = "{}" }) => {
    const all = headers();
    for (const [name, value] of Object.entries(given)) all.set(`Dead-Letter-${name}`, value);
    return js.publish(on, payload, { headers: all });
  });
  return (await Promise.all(acks)).map(({ seq }) => String(seq));
}

/** For tests that change nothing: one replica with these letters for all of a `describe`. */
function sharedWithForged(...letters: readonly Forged[]): () => Stack {
  let shared: Stack | undefined;
  let end: (() => Promise<void>) | undefined;
  beforeAll(async () => {
    shared = await openStack([], (ending) => {
      end = ending;
    });
    await shared.start();
    await forge(shared, letters);
  });
  afterAll(() => end?.());
  return () => {
    if (shared === undefined) throw new Error("not opened");
    return shared;
  };
}

async function withForged(...letters: readonly Forged[]) {
  const stack = await openStack();
  const service = await stack.start();
  return { stack, service, ids: await forge(stack, letters) };
}

const idsOf = ({ dead_letters }: { dead_letters: { id: string }[] }) =>
  dead_letters.map(({ id }) => id);
const lastSequences = async ({ broker: { jsm } }: Stack) =>
  await Promise.all(
    ["EXPERIENCE", "SIGNALS", "FEEDBACK", "DEAD_LETTERS"].map(
      async (name) => (await jsm.streams.info(name)).state.last_seq,
    ),
  );

async function withBadMessages(count: number, subject = "agent.experience.v1.scout") {
  const stack = await openStack();
  const service = await stack.start();
  for (let i = 0; i < count; i++) {
    await stack.broker.js.publish(subject, `bad ${i}`, { msgID: `bad-${i}` });
  }
  await eventually(async () => (await list(stack)).dead_letters.length === count);
  return { stack, service };
}

test("dead letters are listed newest first, page by page", async () => {
  const { stack } = await withBadMessages(7);
  const first = await list(stack, { limit: 3 });
  expect(first.dead_letters.map(({ sequence }: { sequence: number }) => sequence)).toEqual([
    7, 6, 5,
  ]);
  expect(first.dead_letters[0]).toMatchObject({
    stream: "EXPERIENCE",
    durable: "experience-learner-v1",
    subject: "agent.experience.v1.scout",
    code: "bad_request",
    reason: "not JSON",
    replays: 0,
    replayed_at: null,
  });
  const second = await list(stack, { limit: 3, cursor: first.cursor });
  const third = await list(stack, { limit: 3, cursor: second.cursor });
  const seqs = [...second.dead_letters, ...third.dead_letters].map(({ sequence }) => sequence);
  expect(seqs).toEqual([4, 3, 2, 1]);
  expect(third.cursor).toBeNull();
});

test("a replayed dead letter is processed under its own event id, marked, and kept", async () => {
  const { stack } = await withBadMessages(2);
  const [{ id }] = (await list(stack)).dead_letters;
  expect(await replay(stack, { id })).toMatchObject({ matched: 1, replayed: 1, skipped: [] });
  // Still bad: it comes back.
  await eventually(async () => (await list(stack, { replayed: false })).dead_letters.length === 2);
  const [back] = (await list(stack, { replayed: false })).dead_letters;
  expect(back).toMatchObject({ replays: 1, sequence: 3 });
  const [marked] = (await list(stack, { replayed: true })).dead_letters;
  expect(marked).toMatchObject({ id, replays: 0, replayed_at: expect.any(String) });
  const got = await ask(stack.broker.nc, "experience.deadletters.get", { id });
  expect(got.body).toMatchObject({ id, payload: "bad 1", payload_encoding: "utf-8" });
  const again = await ask(stack.broker.nc, "experience.deadletters.replay", { id });
  expect(again.body).toMatchObject({ replayed: 0, skipped: [{ id, reason: "has been replayed" }] });
});

test("the newest comes first after a replay, too: marking an old one makes it no newer", async () => {
  const { stack } = await withBadMessages(3);
  const { id } = (await list(stack)).dead_letters.at(-1);
  await replay(stack, { id });
  await eventually(async () => (await list(stack)).dead_letters.length === 4);
  const sequences = (await list(stack)).dead_letters.map(
    ({ sequence, replayed_at }: { sequence: number; replayed_at: string | null }) =>
      `${sequence} ${replayed_at === null ? "open" : "replayed"}`,
  );
  expect(sequences).toEqual(["4 open", "3 open", "2 open", "1 replayed"]);
});

test("health is degraded while there are new dead letters, and ok once they are gone", async () => {
  const { stack, service } = await withBadMessages(1);
  const health = await service.health();
  expect(health.status).toBe("degraded");
  expect(health.checks.dead_letters).toMatchObject({ open: 1 });
  const purge = await ask(stack.broker.nc, "experience.deadletters.purge", {
    stream: "EXPERIENCE",
  });
  expect(purge.body).toMatchObject({ matched: 1, purged: 1 });
  await eventually(async () => (await service.health()).status === "ok", 10_000);
});

const readable = { Subject: "signals.page.opened" };
const noon = Date.UTC(2026, 6, 1, 12);
const at = (minutes: number) => new Date(noon + minutes * 60_000).toISOString();

describe("three dead letters", () => {
  const stackOf = sharedWithForged(
    { on: "dead.EXPERIENCE.learner", headers: { Reason: "not JSON", At: at(0) } },
    { on: "dead.SIGNALS.folder", headers: { Reason: "23514 check_violation", At: at(10) } },
    { on: "dead.SIGNALS.folder", headers: { Code: "crash_loop", At: at(20) } },
  );

  test.for<[string, Request, string[]]>([
    ["the stream", { stream: "SIGNALS" }, ["3", "2"]],
    ["the durable", { durable: "learner" }, ["1"]],
    ["part of the reason in any case", { reason: "CHECK_viol" }, ["2"]],
    ["the code", { reason: "crash_loop" }, ["3"]],
    ["not part of the code", { reason: "crash" }, []],
    ["the earliest time, as ISO 8601", { since: at(10) }, ["3", "2"]],
    ["the earliest time, as epoch ms", { since: noon + 20 * 60_000 }, ["3"]],
    ["the latest time, which is excluded", { until: at(10) }, ["1"]],
    ["both times", { since: noon + 1, until: at(20) }, ["2"]],
    ["several fields at once", { stream: "SIGNALS", reason: "23514" }, ["2"]],
    ["a stream that has none", { stream: "FEEDBACK" }, []],
  ])("are found by %s", async ([, filter, expected]) => {
    const stack = stackOf();
    expect(idsOf(await list(stack, filter))).toEqual(expected);
    expect(await replay(stack, { ...filter, dry_run: true })).toMatchObject({
      matched: expected.length,
    });
  });
});

test("dead letters are found by whether they have been replayed, under the id they had before", async () => {
  const { stack, ids } = await withForged({ headers: readable }, { headers: readable });
  await replay(stack, { id: ids[0] });
  expect(idsOf(await list(stack, { replayed: false }))).not.toContain(ids[0]);
  expect(idsOf(await list(stack, { replayed: true }))).toEqual([ids[0]]);
});

test("where there has never been a dead letter, none are listed", async () => {
  const { stack } = await withForged();
  expect(await list(stack)).toEqual({ dead_letters: [], cursor: null });
  expect(await replay(stack, { all: true })).toMatchObject({ matched: 0, cursor: null });
});

test("pages through more than 1,500 dead letters with gaps show each that matches once", async () => {
  const reasons = ["gap", "wanted", "other"];
  const letters = Array.from({ length: 1_800 }, (_, i) => ({
    headers: { Reason: reasons[i % 3] ?? "" },
  }));
  const { stack, ids } = await withForged(...letters);
  expect(await purge(stack, { reason: "gap" })).toMatchObject({ purged: 600 });
  const found: string[] = [];
  let cursor: string | null | undefined;
  do {
    const page = await list(stack, { reason: "wanted", limit: 70, ...(cursor && { cursor }) });
    found.push(...idsOf(page));
    cursor = page.cursor;
  } while (cursor);
  expect(found).toEqual(ids.filter((_, i) => i % 3 === 1).reverse());
});

describe("with one dead letter", () => {
  const stackOf = sharedWithForged({ headers: readable });

  test.for<[string, Request]>([
    ["list", { cursor: "nonsense" }],
    ["list", { since: "yesterday" }],
    ["list", { stream: "*" }],
    ["list", { limit: 1_001 }],
    ["get", {}],
    ["get", { id: "1; DROP" }],
    ["replay", {}],
    ["replay", { dry_run: true }],
    ["replay", { all: false }],
    ["replay", { all: true, cursor: "Wzdd" }],
    ["replay", { all: true, cursor: "WzAsOV0" }],
    ["purge", {}],
    ["purge", { dry_run: true, note: "no filter" }],
    ["purge", { all: true }],
    ["purge", { stream: "SIGNALS", cursor: "nonsense" }],
  ])("%s with %j is refused with 400", async ([what, request]) => {
    const stack = stackOf();
    const before = await lastSequences(stack);
    const answer = await ask(stack.broker.nc, `experience.deadletters.${what}`, request);
    expect(answer).toMatchObject({ errorCode: "400", body: { code: "bad_request" } });
    expect(await lastSequences(stack)).toEqual(before);
  });

  test.for(["get", "replay", "purge"])("%s of an unknown id is 404", async (what) => {
    const stack = stackOf();
    for (const id of ["2", 2, 9_007_199_254_740_991]) {
      const answer = await ask(stack.broker.nc, `experience.deadletters.${what}`, { id });
      expect(answer).toMatchObject({ errorCode: "404", body: { code: "not_found" } });
    }
  });
});

test("a dead letter is got with its headers and its payload, by id as number and as text", async () => {
  const payload = Uint8Array.from([0xff, 0x00, 0xfe]);
  const { stack, ids } = await withForged({
    headers: { ...readable, Reason: "not UTF-8" },
    payload,
  });
  const got = await get(stack, Number(ids[0]));
  expect(got).toMatchObject({
    id: ids[0],
    bytes: 3,
    payload: Buffer.from(payload).toString("base64"),
    payload_encoding: "base64",
    payload_shown_bytes: 3,
    headers: { "Dead-Letter-Reason": ["not UTF-8"] },
  });
  expect(await get(stack, ids[0] ?? "")).toEqual(got);
});

test("a dead letter of control characters, which JSON makes long, can be got", async () => {
  const { stack, ids } = await withForged({ payload: "\0".repeat(200_000) });
  expect(await get(stack, ids[0] ?? "")).toMatchObject({ id: ids[0], bytes: 200_000 });
});

test("a dead letter whose payload was cut is skipped, with the reason", async () => {
  const stack = await openStack();
  await stack.start();
  const { js, nc } = stack.broker;
  await js.publish("signals.page.opened", "x".repeat((nc.info?.max_payload ?? 0) - 100));
  await eventually(async () => (await statsOf(stack)).dead_letters_open === 1);
  expect(await replay(stack, { all: true })).toMatchObject({
    ...{ matched: 1, replayed: 0, skipped_count: 1 },
    skipped: [{ id: "1", reason: "only the beginning of its payload is kept" }],
  });
  expect((await list(stack)).dead_letters).toMatchObject([{ cut: true, replayed_at: null }]);
});

const notToPublishAt = [
  "$JS.API.STREAM.DELETE.EXPERIENCE",
  "$JS.API.STREAM.PURGE.DEAD_LETTERS",
  "other.place",
  "agent.experience.v2.scout",
  "signals",
  "signals.two words",
  "signals.a other.place 2",
  "signals..opened",
  "signals.opened.",
  "signals.*",
  "signals.>",
  "",
];

test("letters whose subject is none of ours are skipped, nothing is published there, and the next one is replayed", async () => {
  const { stack, ids } = await withForged(
    ...notToPublishAt.map((subject) => ({ headers: { Subject: subject }, payload: "{}" })),
    { headers: readable, payload: '{"user_id":"ada"}' },
  );
  const bad = ids.slice(0, -1);
  const heard: string[] = [];
  const { nc, jsm } = stack.broker;
  for (const all of ["$JS.API.STREAM.DELETE.>", "$JS.API.STREAM.PURGE.>", "other.>", "agent.>"]) {
    nc.subscribe(all, { callback: (_, message) => void heard.push(message.subject) });
  }
  const reply = await replay(stack, { all: true });
  expect(reply).toMatchObject({ matched: ids.length, replayed: 1 });
  expect(reply.skipped.map(({ id }: { id: string }) => id).sort()).toEqual([...bad].sort());
  await nc.flush();
  expect(heard).toEqual([]);
  expect((await jsm.streams.info("SIGNALS")).state.messages).toBe(1);
  expect(idsOf(await list(stack, { replayed: false }))).toEqual([...bad].reverse());
});

test("a message that somebody else put among the dead letters, without headers, is listed and skipped", async () => {
  const stack = await openStack();
  const service = await stack.start();
  await stack.broker.js.publish("dead.a.b", "whatever");
  expect((await list(stack)).dead_letters).toMatchObject([
    { id: "1", stream: "a", durable: "b", subject: "", reason: "", code: "", bytes: 8 },
  ]);
  expect(await get(stack, 1)).toMatchObject({ payload: "whatever", headers: {} });
  expect(await replay(stack, { all: true })).toMatchObject({ replayed: 0, skipped_count: 1 });
  expect(await purge(stack, { stream: "a" })).toMatchObject({ purged: 1 });
  expect(service.fatal).toEqual([]);
});

test("a dry run counts, and changes nothing", async () => {
  const { stack, service } = await withForged({ headers: readable }, { headers: readable });
  const before = [await list(stack), await lastSequences(stack)];
  const counted = { matched: 2, dry_run: true };
  expect(await replay(stack, { all: true, dry_run: true })).toMatchObject({
    ...counted,
    replayed: 0,
  });
  expect(await replay(stack, { id: 1, dry_run: true })).toMatchObject({ matched: 1, replayed: 0 });
  const request = { stream: "SIGNALS", dry_run: true };
  expect(await purge(stack, request)).toMatchObject({ ...counted, purged: 0 });
  expect([await list(stack), await lastSequences(stack)]).toEqual(before);
  expect(service.hasLogged(/dead letters (replayed|purged)/)).toBe(false);
});

test("asking to replay what has been replayed does not replay what has not", async () => {
  const { stack } = await withForged({ headers: readable });
  await replay(stack, { replayed: true });
  expect(await list(stack, { replayed: false })).toMatchObject({ dead_letters: [{ id: "1" }] });
});

test("what is purged is in the log by its reason, with how many and why", async () => {
  const { stack, service } = await withForged(
    { headers: { Reason: "not JSON", Code: "bad_request" } },
    { headers: { Reason: "not JSON", Code: "bad_request" } },
    { headers: { Reason: "crash_loop", Code: "crash_loop" } },
  );
  expect(await purge(stack, { stream: "SIGNALS", note: "tested" })).toMatchObject({ purged: 3 });
  const lines = service.log.filter(({ msg }) => msg === "dead letters purged");
  expect(lines).toMatchObject([
    { reason: "SIGNALS/other bad_request: not JSON", letters: 2, note: "tested" },
    { reason: "SIGNALS/other crash_loop: crash_loop", letters: 1, note: "tested" },
  ]);
  expect(await list(stack)).toMatchObject({ dead_letters: [] });
});

test("two requests that purge the same dead letters at once both succeed", async () => {
  const { stack } = await withForged(...Array.from({ length: 600 }, () => ({})));
  const both = [1, 2].map(() => purge(stack, { stream: "SIGNALS" }));
  for (const reply of await Promise.all(both)) expect(reply).toHaveProperty("purged");
  expect(await list(stack)).toMatchObject({ dead_letters: [] });
});

test("how many wait and how many have been replayed is in stats and metrics", async () => {
  const { stack, service } = await withBadMessages(2);
  const { js } = stack.broker;
  const [good] = await forge(stack, [{ headers: readable, payload: '{"user_id":"ada"}' }]);
  await js.publish("feedback.tip", "bad");
  await eventually(async () => (await statsOf(stack)).dead_letters_open === 4);
  await replay(stack, { id: good });
  await purge(stack, { stream: "FEEDBACK" });
  const learner = { "EXPERIENCE/experience-learner-v1": 2 };
  const counts = { dead_letters: 3, dead_letters_open: 2, dead_letters_replayed: 1 };
  expect(await statsOf(stack)).toMatchObject({ ...counts, dead_letters_by_durable: learner });
  const samples = await figures(service);
  expect(samples).toMatchObject({
    'dead_letters_open{stream="EXPERIENCE",consumer="experience-learner-v1"}': 2,
    'js_messages_dead_lettered_total{stream="EXPERIENCE"}': 2,
    'js_messages_dead_lettered_total{stream="FEEDBACK"}': 1,
    dead_letters_replayed_total: 1,
    dead_letters_purged_total: 1,
  });
  const open = Object.keys(samples).filter((name) => name.startsWith("dead_letters_open"));
  expect(open).toHaveLength(1);
});

test("health is ok again once every dead letter has been replayed for good", async () => {
  const { stack, service } = await withForged({ headers: readable, payload: '{"user_id":"ada"}' });
  const health = await service.health();
  expect(health).toMatchObject({
    status: "degraded",
    checks: { dead_letters: { open: 1, by_durable: { "other/other": 1 } } },
  });
  expect(health.problems).toContainEqual(expect.stringMatching(/^dead letters: 1 not replayed/));
  await replay(stack, { all: true });
  let healed = await service.health();
  await eventually(async () => {
    healed = await service.health();
    return healed.status === "ok";
  }, 10_000);
  expect(healed.problems).toEqual([]);
  expect(healed.checks.dead_letters).toEqual({ open: 0, newest_at: null, by_durable: {} });
});

test("the answer to somebody else's request is no request to replay or to purge", async () => {
  const { stack, ids } = await withForged({ headers: { Subject: "signals.x", Sequence: "1" } });
  // What JetStream answers to whoever publishes, at the reply subject that the publisher names.
  const ack = { stream: "SIGNALS", seq: 9 };
  for (const reply of [await replay(stack, ack), await purge(stack, ack)]) {
    expect(reply).toMatchObject({ code: "bad_request" });
  }
  expect((await list(stack)).dead_letters.map(({ id }: { id: string }) => id)).toEqual(ids);
});
