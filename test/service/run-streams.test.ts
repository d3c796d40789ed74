import { once } from "node:events";
import net from "node:net";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, onTestFinished, test } from "vitest";
import { eventually } from "../rig/eventually.ts";
import { openLink } from "../rig/link.ts";
import { figures, openStack, type Stack, type TestService } from "../rig/service.ts";
import { ask } from "../rig/traffic.ts";

interface ReadEvent {
  readonly id: string;
  readonly type: string;
  readonly data: string;
}

/** Someone who follows a run. */
interface Reader {
  readonly response: Response;
  readonly events: readonly ReadEvent[];
  readonly ids: readonly number[];
  readonly comments: readonly string[];
  /** Null while the stream is open; `over`: it ended as a response should. */
  readonly end: "over" | "cut" | null;
  /** Resolves when the stream has ended, to the ids. */
  ended(limitMs?: number): Promise<readonly number[]>;
  leave(): void;
}

const urlOf = ({ httpPort }: TestService, run: string, after?: string | number) =>
  `http://127.0.0.1:${httpPort}/runs/${encodeURIComponent(run)}/events${
    after === undefined ? "" : `?after=${encodeURIComponent(after)}`
  }`;

async function follow(
  service: TestService,
  run: string,
  { after, headers = {} }: { after?: string | number; headers?: Record<string, string> } = {},
): Promise<Reader> {
  const leaves = new AbortController();
  onTestFinished(() => leaves.abort());
  const { signal } = leaves;
  const response = await fetch(urlOf(service, run, after), { headers, signal });
  const events: ReadEvent[] = [];
  const comments: string[] = [];
  let end: Reader["end"] = null;
  const read = async () => {
    let rest = "";
    const text = new TextDecoder();
    for await (const bytes of response.body ?? []) {
      const blocks = (rest + text.decode(bytes, { stream: true })).split("\n\n");
      rest = blocks.pop() ?? "";
      for (const block of blocks) {
        const event = eventFrom(block);
        if (event) events.push(event);
        else comments.push(block);
      }
    }
  };
  read().then(
    () => {
      end = "over";
    },
    () => {
      end = "cut";
    },
  );
  return {
    response,
    events,
    get ids() {
      return events.map(({ id }) => Number(id));
    },
    comments,
    get end() {
      return end;
    },
    async ended(limitMs = 10_000) {
      await eventually(() => end !== null, limitMs);
      return events.map(({ id }) => Number(id));
    },
    leave: () => leaves.abort(),
  };
}

/** As the standard says: all lines of data together, the last of each other field. */
function eventFrom(block: string): ReadEvent | null {
  const fields: Record<string, string> = {};
  for (const line of block.split(/\r\n|\r|\n/)) {
    const [, name, value] = /^([^:]+)(?:: ?(.*))?$/s.exec(line) ?? [];
    if (name === undefined) continue;
    const before = name === "data" && fields["data"] !== undefined ? `${fields["data"]}\n` : "";
    fields[name] = before + (value ?? "");
  }
  const { id, event, data } = fields;
  return data === undefined ? null : { id: id ?? "", type: event ?? "message", data };
}

/** A connection that asks for a run and reads nothing of the answer. */
async function followWithoutReading(service: TestService, run: string): Promise<net.Socket> {
  const socket = net.connect(service.httpPort, "127.0.0.1");
  onTestFinished(() => void socket.destroy());
  socket.on("error", () => undefined);
  await once(socket, "connect");
  socket.pause();
  socket.write(`GET /runs/${run}/events HTTP/1.1\r\nHost: localhost\r\n\r\n`);
  return socket;
}

type Fields = Record<string, unknown>;

/** Appends in this order, as many in a request as there may be. */
async function append({ broker }: Stack, run_id: string, ...events: Fields[]): Promise<void> {
  for (let i = 0; i < events.length; i += 1_000) {
    const some = events.slice(i, i + 1_000).map((event) => ({ run_id, type: "step", ...event }));
    const { body } = await ask(broker.nc, "experience.runs.append", some);
    expect(body).toMatchObject({ stored: some.length, invalid: [] });
  }
}

const steps = (count: number, fields: Fields = {}): Fields[] =>
  Array.from({ length: count }, () => fields);
const upTo = (last: number, from = 1) =>
  Array.from({ length: last - from + 1 }, (_, i) => from + i);
const completed = { type: "run_completed" };

const readersOf = async (service: TestService) => (await figures(service))["run_streams"];
const untilNobodyReads = (service: TestService) =>
  eventually(async () => (await readersOf(service)) === 0);

test("a reader needs the token, and is told so", async () => {
  const stack = await openStack();
  const service = await stack.start({ EXPERIENCE_HTTP_TOKEN: "sesame" });
  await append(stack, "r1", completed);
  for (const headers of [{}, { Authorization: "Bearer sesam" }, { Authorization: "sesame" }]) {
    const { status, headers: told } = await fetch(urlOf(service, "r1"), { headers });
    expect([status, told.get("www-authenticate")]).toEqual([401, "Bearer"]);
  }
  // Nor does it say which runs there are.
  expect((await fetch(urlOf(service, "nobody"))).status).toBe(401);
  expect((await service.http("/livez")).status).toBe(200);
  const reader = await follow(service, "r1", { headers: { Authorization: "Bearer sesame" } });
  expect(await reader.ended()).toEqual([1]);
});

test("runs of the same id are different runs for different tenants", async () => {
  const stack = await openStack();
  const service = await stack.start();
  await append(stack, "r1", { data: { whose: "default" } }, completed);
  await append(
    stack,
    "r1",
    ...[{ data: { whose: "acme" } }, completed].map((event) => ({ ...event, tenant_id: "acme" })),
  );
  for (const [headers, whose] of [
    [{}, "default"],
    [{ "X-Tenant-ID": "acme" }, "acme"],
  ] as const) {
    const reader = await follow(service, "r1", { headers });
    expect(await reader.ended()).toEqual([1, 2]);
    expect(JSON.parse(reader.events[0]?.data ?? "").data).toEqual({ whose });
  }
  const other = await fetch(urlOf(service, "r1"), { headers: { "X-Tenant-ID": "other" } });
  expect(other.status).toBe(404);
  const long = await fetch(urlOf(service, "r1"), { headers: { "X-Tenant-ID": "t".repeat(129) } });
  expect(long.status).toBe(400);
});

test("a cursor that is none is refused, and one in the header wins over one in the address", async () => {
  const stack = await openStack();
  const service = await stack.start();
  await append(stack, "r1", ...steps(4), completed);
  for (const cursor of ["-1", "1.5", "abc", "0x1", "1e3", "1 2"]) {
    const inHeader = { headers: { "Last-Event-ID": cursor } };
    expect((await fetch(urlOf(service, "r1", cursor))).status).toBe(400);
    expect((await fetch(urlOf(service, "r1", 1), inHeader)).status).toBe(400);
  }
  expect(await (await follow(service, "r1", { after: 3 })).ended()).toEqual([4, 5]);
  const both = { after: 1, headers: { "Last-Event-ID": "4" } };
  expect(await (await follow(service, "r1", both)).ended()).toEqual([5]);
  const empty = { after: 3, headers: { "Last-Event-ID": "" } };
  expect(await (await follow(service, "r1", empty)).ended()).toEqual([4, 5]);
  expect((await fetch(urlOf(service, "nobody", 3))).status).toBe(404);
  expect((await fetch(urlOf(service, "r".repeat(129)))).status).toBe(400);
  await untilNobodyReads(service);
});

test("a stream ends with the first event that ends the run, whatever follows it", async () => {
  const stack = await openStack();
  const service = await stack.start();
  await append(stack, "r1", { type: "run_started" });
  const reader = await follow(service, "r1");
  await append(stack, "r1", { type: "error" }, ...steps(3), completed);
  expect(await reader.ended()).toEqual([1, 2]);
  expect(reader.end).toBe("over");
  for (const after of ["", 0, 1]) {
    expect((await (await follow(service, "r1", { after })).ended()).at(-1)).toBe(2);
  }
  for (const after of [2, 3, 6, 100]) {
    expect((await fetch(urlOf(service, "r1", after))).status).toBe(204);
  }
});

test("cursors that the producer gave arrive as they are: from 0, with gaps", async () => {
  const stack = await openStack();
  const service = await stack.start();
  await append(stack, "r1", ...[0, 5, 6].map((cursor) => ({ cursor })));
  const first = await follow(service, "r1");
  const second = await follow(service, "r1", { after: 0 });
  const third = await follow(service, "r1", { after: 7 });
  await append(stack, "r1", { cursor: 1_000_000 }, { cursor: 1_000_002, ...completed });
  expect(await first.ended()).toEqual([0, 5, 6, 1_000_000, 1_000_002]);
  expect(await second.ended()).toEqual([5, 6, 1_000_000, 1_000_002]);
  expect(await third.ended()).toEqual([1_000_000, 1_000_002]);
});

test("a reader comes back after any cursor that it was told, the largest too", async () => {
  const stack = await openStack();
  const service = await stack.start();
  const micros = 1_763_000_000_000_000;
  const cursors = [0, 999_999_999_999_999, micros, Number.MAX_SAFE_INTEGER - 1_000];
  await append(
    stack,
    "r1",
    ...cursors.map((cursor, i) => (i < 3 ? { cursor } : { cursor, ...completed })),
  );
  for (const [i, cursor] of cursors.entries()) {
    const reader = await follow(service, "r1", { headers: { "Last-Event-ID": String(cursor) } });
    expect(reader.response.status).toBe(i < 3 ? 200 : 204);
    expect(await reader.ended()).toEqual(cursors.slice(i + 1));
  }
});

test("whatever the name of an event holds, its reader gets that event and no other", async () => {
  const stack = await openStack();
  const service = await stack.start();
  const types = ["a\nid: 900", "b\n\nid: 901\ndata: {}", "c\rid: 902", "d: e", "é ", "\u2028"];
  await append(stack, "r1", ...types.map((type) => ({ type })), completed);
  const reader = await follow(service, "r1");
  expect(await reader.ended()).toEqual(upTo(types.length + 1));
  expect(reader.events.map(({ data }) => JSON.parse(data).type)).toEqual([
    ...types,
    completed.type,
  ]);
});

test("a run of many pages arrives whole and in order", async () => {
  const stack = await openStack();
  const service = await stack.start();
  await append(stack, "r1", ...upTo(2_999).map((n) => ({ data: { n } })), completed);
  const reader = await follow(service, "r1");
  expect(await reader.ended()).toEqual(upTo(3_000));
  expect(reader.events.slice(0, -1).map(({ data }) => JSON.parse(data).data.n)).toEqual(
    upTo(2_999),
  );
  await untilNobodyReads(service);
});

test("an event stored by one replica reaches the readers of another", async () => {
  const stack = await openStack();
  const services = [await stack.start(), await stack.start()] as const;
  await append(stack, "r1", {});
  const readers = await Promise.all(services.map((service) => follow(service, "r1")));
  await eventually(() => readers.every(({ ids }) => ids.length === 1));
  const takenMs: number[] = [];
  for (let count = 2; count <= 21; count += 1) {
    await append(stack, "r1", {});
    const storedAt = performance.now();
    await eventually(() => readers.every(({ ids }) => ids.length === count));
    takenMs.push(performance.now() - storedAt);
  }
  // Less than the second after which a replica looks by itself; the machine may pause once or twice.
  const prompt = takenMs.filter((ms) => ms < 800);
  expect(prompt.length, `ms: ${takenMs.map(Math.round)}`).toBeGreaterThanOrEqual(18);
  await append(stack, "r1", completed);
  for (const reader of readers) expect(await reader.ended()).toEqual(upTo(22));
  const stored = await Promise.all(services.map(figures));
  for (const all of stored) expect(all['run_events_total{outcome="stored"}']).toBeGreaterThan(0);
});

test("readers at different cursors, behind and ahead, get all after theirs while events come", async () => {
  const stack = await openStack();
  const service = await stack.start();
  await append(stack, "r1", ...steps(3_000));
  const places = [0, 1, 199, 200, 1_500, 2_999, 3_000, 5_500];
  const readers = await Promise.all(places.map((after) => follow(service, "r1", { after })));
  await append(stack, "r1", ...steps(4_999), completed);
  for (const [i, reader] of readers.entries()) {
    expect(await reader.ended()).toEqual(upTo(8_000, (places[i] ?? 0) + 1));
  }
  await untilNobodyReads(service);
});

const kilobytes = (count: number) => ({ data: { text: "x".repeat(count * 1_024) } });

/** What the process holds on to, in MB. */
function heldMb(): number {
  setFlagsFromString("--expose-gc");
  runInNewContext("gc")();
  const { heapUsed, external } = process.memoryUsage();
  return (heapUsed + external) / 2 ** 20;
}

test("readers that do not read hold up no other, and little is kept for them", async () => {
  const stack = await openStack();
  const service = await stack.start();
  await append(stack, "r1", {});
  const heldBefore = heldMb();
  const stuck = await Promise.all(
    Array.from({ length: 20 }, () => followWithoutReading(service, "r1")),
  );
  const reader = await follow(service, "r1");
  await eventually(async () => (await readersOf(service)) === 21);
  // 40 MB for each reader.
  for (let i = 0; i < 50; i += 1) {
    await append(stack, "r1", ...steps(80, kilobytes(10)));
    await eventually(() => reader.ids.length === 1 + 80 * (i + 1));
  }
  expect(await readersOf(service)).toBe(21);
  const held = heldMb() - heldBefore;
  console.info(`held for 20 readers that do not read: ${held.toFixed(0)} MB of 800`);
  // The test's own reader keeps its 40.
  expect(held).toBeLessThan(250);
  for (const socket of stuck) socket.destroy();
  await append(stack, "r1", completed);
  expect(await reader.ended()).toEqual(upTo(4_002));
  await untilNobodyReads(service);
});

test("a quiet stream gives signs of life, and who does not read for half a minute is cut off", async () => {
  const stack = await openStack();
  const service = await stack.start();
  for (let i = 0; i < 80; i += 1) await append(stack, "big", ...steps(10, kilobytes(50)));
  await append(stack, "quiet", {});
  const reader = await follow(service, "quiet");
  const socket = await followWithoutReading(service, "big");
  await eventually(async () => (await readersOf(service)) === 2);
  const cut = async () => (await figures(service))["run_streams_cut_total"] === 1;
  await eventually(cut, 40_000);
  expect(await readersOf(service)).toBe(1);
  expect(reader.comments).toContain(": keep-alive");
  expect(reader.end).toBe(null);
  socket.resume();
  await eventually(() => socket.destroyed);
  await append(stack, "quiet", completed);
  expect(await reader.ended()).toEqual([1, 2]);
}, 60_000);

/** Stores an event as another replica would that nobody hears. */
async function storeSilently({ database: { sql } }: Stack, run: string, cursor: number) {
  await sql.begin((one) => [
    one`INSERT INTO agent_events (tenant_id, run_id, cursor, event_type, payload, created_at, event_id)
      VALUES ('default', ${run}, ${cursor}, 'step', '{}', now(), ${`silent-${cursor}`})`,
    one`UPDATE agent_runs SET last_cursor = ${cursor}, version = version + 1
      WHERE run_id = ${run}`,
  ]);
}

test("an event of which word was lost reaches its readers, with the broker and without", async () => {
  const stack = await openStack();
  const service = await stack.start();
  await append(stack, "r1", {});
  const reader = await follow(service, "r1");
  await eventually(() => reader.ids.length === 1);
  await storeSilently(stack, "r1", 2);
  await eventually(() => reader.ids.length === 2);
  await stack.broker.kill();
  await storeSilently(stack, "r1", 3);
  await eventually(() => reader.ids.length === 3);
  const late = await follow(service, "r1", { after: 1 });
  await eventually(() => late.ids.length === 2);
  await stack.broker.restart();
  await eventually(async () => (await service.health()).status === "ok", 10_000);
  await append(stack, "r1", {}, completed);
  expect(await reader.ended()).toEqual(upTo(5));
  expect(await late.ended()).toEqual(upTo(5, 2));
});

test("readers stay while PostgreSQL is away, and miss nothing", async () => {
  const stack = await openStack();
  const url = new URL(stack.database.url);
  const link = await openLink(Number(url.port));
  onTestFinished(() => link.close());
  url.port = String(link.port);
  const service = await stack.start({ LEARNER_DATABASE_URL: url.href });
  await append(stack, "r1", ...steps(2_000));
  const live = await follow(service, "r1");
  await eventually(() => live.ids.length === 2_000);
  const quick = await follow(service, "r1", { after: 1_990 });
  await eventually(() => quick.ids.length === 10);
  await link.cut();
  for (let cursor = 2_001; cursor <= 2_010; cursor += 1) await storeSilently(stack, "r1", cursor);
  const refused = await fetch(urlOf(service, "r1"));
  expect(refused.status).toBe(503);
  expect(await refused.json()).toMatchObject({
    code: "unavailable",
    message: "a dependency is unavailable, try again later",
  });
  expect([live.end, quick.end]).toEqual([null, null]);
  await link.restore();
  await eventually(() => [live, quick].every(({ ids }) => ids.at(-1) === 2_010), 15_000);
  await append(stack, "r1", completed);
  expect(await live.ended()).toEqual(upTo(2_011));
  expect(await quick.ended()).toEqual(upTo(2_011, 1_991));
  await untilNobodyReads(service);
});

test("readers that leave are forgotten, however they asked", async () => {
  const stack = await openStack();
  const service = await stack.start();
  await append(stack, "r1", ...steps(500));
  const readers = await Promise.all(upTo(20).map((after) => follow(service, "r1", { after })));
  expect(await readersOf(service)).toBe(20);
  for (const reader of readers) reader.leave();
  await untilNobodyReads(service);
  // Gone before they are answered.
  for (let i = 0; i < 20; i += 1) {
    const socket = await followWithoutReading(service, "r1");
    socket.destroy();
  }
  await untilNobodyReads(service);
});

test("a reader whose stream breaks down is forgotten", async () => {
  const stack = await openStack();
  const service = await stack.start();
  await append(stack, "r1", {});
  // No outage: this does not pass by itself.
  await stack.database.sql`ALTER TABLE agent_events ALTER cursor TYPE text`;
  const reader = await follow(service, "r1");
  expect(await reader.ended()).toEqual([]);
  expect(reader.end).toBe("cut");
  await untilNobodyReads(service);
});

test("who asks only for the head is no reader", async () => {
  const stack = await openStack();
  const service = await stack.start();
  await append(stack, "r1", {});
  const { status } = await fetch(urlOf(service, "r1"), { method: "HEAD" });
  expect(status).toBeLessThan(500);
  await untilNobodyReads(service);
});

test("a replica that stops ends its streams at once, those of stuck readers too", async () => {
  const stack = await openStack();
  const service = await stack.start();
  for (let i = 0; i < 40; i += 1) await append(stack, "r1", ...steps(10, kilobytes(50)));
  const readers = await Promise.all(upTo(3).map((after) => follow(service, "r1", { after })));
  await followWithoutReading(service, "r1");
  // 60 MB, all of it read in this process.
  await eventually(() => readers.every(({ ids }) => ids.at(-1) === 400), 40_000);
  const startedAt = performance.now();
  const stopped = service.stop().then(() => performance.now() - startedAt);
  await eventually(() => readers.every(({ end }) => end === "over"), 5_000);
  expect(await stopped).toBeLessThan(10_000);
  // With one that stays they go on where they were.
  const other = await stack.start();
  const again = await follow(other, "r1", { headers: { "Last-Event-ID": "400" } });
  await append(stack, "r1", completed);
  expect(await again.ended()).toEqual([401]);
}, 90_000);
