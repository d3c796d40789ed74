import { afterAll, beforeAll, expect, test } from "vitest";
import { isRefusal } from "../../src/errors.ts";
import { changesBy, distinct } from "../../src/handlers/runs/append.ts";
import type { RunEvent } from "../../src/handlers/runs/event.ts";
import { decodeRunEvent } from "../../src/handlers/runs/event-wire.ts";
import { deadLetterHeaders } from "../../src/runtime/dead-letter-message.ts";
import { defaultEventIdOf, identityOf } from "../../src/runtime/delivery.ts";
import type { Broker } from "../rig/broker.ts";
import type { TestDatabase } from "../rig/database.ts";
import { eventually } from "../rig/eventually.ts";
import { type Build, copyBuild } from "./build.ts";
import { compare, storedMessages } from "./comparison.ts";
import { type Random, randomFrom } from "./events.ts";
import { type FailpointOptions, type Moment, setFailpoint } from "./failpoint.ts";
import { invalidPayloads, type Publication, publishAll } from "./publications.ts";
import { openStack, type Stack, untilQuiet } from "./stack.ts";
import { executes, type Step, steps } from "./steps.ts";
import { turns } from "./stories.ts";
import type { ProxiedReplica } from "./supervisor.ts";

const source = { stream: "RUNS", durable: "run-recorder-v1" };
const limitMs = 45_000;
/** What the contract's default is. */
const maxFutureMs = 300_000;

let build: Build;
beforeAll(() => {
  build = copyBuild();
});
afterAll(() => build.remove());

/**
 * So many messages, all from the seed except for the date: the events of each run in their order, those
 * of different runs in any. A third of the runs bring cursors, with gaps. Of every 100 some 6 say again
 * what another one said, under another message id; every 40th run has one event that mixes cursors, and
 * some are invalid.
 */
function runTraffic(seed: number, { messages, runs }: { messages: number; runs: number }) {
  const random = randomFrom(seed);
  const base = Date.now() - 3_600_000;
  const state = Array.from({ length: runs }, () => ({ length: 0, cursor: random(3) }));
  const made: Publication[] = [];
  const say = (run: number, value: object, messageId: string) => {
    const subject = `agent.run.v1.run-${run}`;
    made.push({ subject, payload: Buffer.from(JSON.stringify(value)), messageId });
  };
  const again: { at: number; run: number; value: object; messageId: string }[] = [];
  const bad = invalidRunEvents();
  while (made.length < messages) {
    const run = random(runs);
    const own = state[run] as (typeof state)[0];
    own.length += 1;
    own.cursor += 1 + random(3);
    const { length, cursor } = own;
    const id = `${run}-${length}`;
    const brings = run % 3 === 0;
    const mixes = run % 40 === 0 && length === 4;
    const value = {
      ...((!brings || random(2) === 0) && { event_id: `event-${id}` }),
      run_id: `run-${run}`,
      ...(run % 5 === 0 && { tenant_id: "acme" }),
      ...(brings !== mixes && { cursor }),
      ...typeOf(random, length),
      ...(random(4) > 0 && { ts: base + random(3_600_000) }),
    };
    say(run, value, `message-${id}`);
    if (random(100) < 6 && ("event_id" in value || "cursor" in value)) {
      again.push({ at: made.length + random(150), run, value, messageId: `again-${id}` });
    }
    while (again[0] && again[0].at <= made.length) {
      const { run: of, value: same, messageId } = again.shift() as (typeof again)[0];
      say(of, same, messageId);
    }
    if (made.length % 40 === 0) made.push(...bad.splice(0, 1));
  }
  return made;
}

function typeOf(random: Random, length: number): object {
  if (length < 3 || random(100) < 85)
    return { type: ["step", "token", "awaiting_user"][random(3)] };
  return [
    { type: "run_completed" },
    { type: "run_completed", terminal_status: "quota_exceeded" },
    { type: "run_failed", data: { error: `no ${length}` } },
    { type: "error", data: { code: length } },
    { type: "run_cancelled" },
  ][random(5)] as object;
}

function invalidRunEvents(): Publication[] {
  const more = [{ type: "a" }, { run_id: "run-1" }, { run_id: "run-1", type: "a", cursor: -1 }];
  const payloads = [
    ...more.map((value) => Buffer.from(JSON.stringify(value))),
    ...Object.values(invalidPayloads),
  ];
  return payloads.map((payload, i) => ({
    ...{ subject: `agent.run.v1.run-${i}`, payload, messageId: `invalid-${i}` },
  }));
}

interface Comparison {
  readonly messages: number;
  readonly invalid: number;
  readonly refused: number;
  readonly repeats: number;
  readonly runs: number;
  /** Empty when the tables and the dead letters are what the stream says, in its order. */
  readonly differences: readonly string[];
}

const keyOf = (one: { tenantId: string; runId: string }) => `${one.tenantId}/${one.runId}`;
const iso = (ms: number | null) => (ms === null ? "" : new Date(ms).toISOString());

async function compareRuns(broker: Broker, { sql }: TestDatabase): Promise<Comparison> {
  const { events, refused, invalid } = await content(broker);
  const once = distinct([...events.keys()]);
  const { changes, refused: misplaced } = changesBy(once, []);
  const ids = new Set(misplaced.map(({ event }) => `${keyOf(event)} ${event.eventId}`));
  for (const [event, seq] of events) {
    if (ids.has(`${keyOf(event)} ${event.eventId}`)) refused.set(seq, "it has no place");
  }
  const wantedEvents = changes.flatMap((change) =>
    change.stored.map(({ cursor, event }) =>
      [keyOf(change), cursor, event.eventId, event.type, iso(event.ts)].join(" "),
    ),
  );
  const wantedRuns = changes.map(({ after, ...key }) =>
    [
      ...[keyOf(key), after.status, after.mode, after.lastCursor],
      ...[iso(after.startedAt), iso(after.completedAt)],
    ].join(" "),
  );
  const rows = await sql<{ text: string; started_at: Date; completed_at: Date | null }[]>`
    SELECT concat_ws(' ', tenant_id || '/' || run_id, status, cursor_mode, last_cursor) AS text,
      started_at, completed_at FROM agent_runs`;
  const stored = await sql<{ text: string; at: Date }[]>`
    SELECT concat_ws(' ', tenant_id || '/' || run_id, cursor, event_id, event_type) AS text,
      created_at AS at FROM agent_events`;
  const letters = await storedMessages(broker, "DEAD_LETTERS");
  const of = letters.map(({ header }) => header(deadLetterHeaders.sequence));
  const reasons = new Map(
    letters.map(({ header }) => [
      header(deadLetterHeaders.sequence),
      `${header(deadLetterHeaders.code)}: ${header(deadLetterHeaders.reason)}`,
    ]),
  );
  const name = (text: string) => text;
  return {
    ...{ messages: events.size + invalid, invalid, refused: refused.size - invalid },
    ...{ repeats: events.size - once.length, runs: changes.length },
    differences: [
      ...compare(
        "event",
        new Set(wantedEvents),
        stored.map(({ text, at }) => `${text} ${at.toISOString()}`),
        name,
      ),
      ...compare(
        "run",
        new Set(wantedRuns),
        rows.map(({ text, started_at, completed_at }) =>
          [text, started_at.toISOString(), completed_at?.toISOString() ?? ""].join(" "),
        ),
        name,
      ),
      ...compare("dead letter", new Set([...refused.keys()].map(String)), of, (seq) => {
        return `of ${seq} (${refused.get(Number(seq)) ?? "an event to be stored"}; ${reasons.get(seq)})`;
      }),
    ],
  };
}

/** Of the stream, as the service reads it: each event with its sequence, and what is no event. */
async function content(broker: Broker) {
  const { created } = await broker.jsm.streams.info(source.stream);
  const events = new Map<RunEvent, number>();
  const refused = new Map<number, string>();
  for (const message of await storedMessages(broker, source.stream)) {
    const { seq, data, storedAt } = message;
    const defaultEventId = defaultEventIdOf({ ...message, identity: identityOf(created, seq) });
    try {
      events.set(decodeRunEvent(data, { storedAt, maxFutureMs, defaultEventId }), seq);
    } catch (error) {
      if (!isRefusal(error)) throw error;
      refused.set(seq, error.message);
    }
  }
  return { events, refused, invalid: refused.size };
}

interface Story {
  readonly name: string;
  readonly seed: number;
  readonly size: number;
  readonly traffic: { readonly messages: number; readonly runs: number };
  readonly failpoint?: FailpointOptions;
  readonly env?: Readonly<Record<string, string>>;
  /** Goes on while messages come, at about so many a second. */
  readonly faults?: { readonly rate: number; readonly inject: (play: Play) => Promise<void> };
}

interface Play extends Stack {
  /** Lets something happen once more is stored and more is in flight. */
  fault(name: string, happens: (holder: ProxiedReplica) => Promise<void> | void): Promise<void>;
  /** Resolves when another replica reads the stream, and has stored something. */
  untilTakenOver(from: ProxiedReplica): Promise<void>;
}

/** Two or three replicas and one fault or many; then everything is held against the stream. */
async function runStory(story: Story): Promise<{ differences: readonly string[]; report: string }> {
  const startedAt = performance.now();
  const publications = runTraffic(story.seed, story.traffic);
  const failpoint = story.failpoint && setFailpoint(story.failpoint);
  const stack = await openStack({
    ...{ main: build.main, size: story.size, ...(failpoint && { failpoint }) },
    streams: [{ name: source.stream, subjects: ["agent.run.v1.>"] }],
    // Runs are read four times as many at once.
    env: { EXPERIENCE_FETCH_BATCH: "8", ...story.env },
  });
  const pauses = watchStoring(stack);
  const problems: string[] = [];
  try {
    await play(stack, story, publications, pauses);
    await untilQuiet(stack.broker, limitMs, source).catch((error) => problems.push(String(error)));
    await pauses.stop();
    const found = await compareRuns(stack.broker, stack.database);
    const missed = (story.failpoint?.at.length ?? 0) - (failpoint?.triggered ?? 0);
    if (missed > 0) problems.push(`${missed} kills did not happen`);
    problems.push(
      ...stack.supervisor.accidents.map((text) => `a replica ended by itself: ${text}`),
    );
    const differences = [...problems, ...found.differences];
    const { messages, invalid, refused, repeats, runs } = found;
    const stake = { invalid, refused, repeats, runs };
    for (const [what, count] of Object.entries(stake)) {
      if (count === 0) differences.push(`nothing was at stake: no ${what}`);
    }
    const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1);
    const report = [
      `${story.name}, seed ${story.seed}: ${differences.length} differences; ${stack.supervisor.kills} kills; ${pauses.report()}; ${seconds} s in all; ${messages} messages (${invalid} invalid, ${refused} refused, ${repeats} said again), ${runs} runs`,
      ...differences.slice(0, 30).map((line) => `  ${line}`),
    ].join("\n");
    return { differences, report };
  } finally {
    await pauses.stop();
    await stack.close();
  }
}

async function play(
  stack: Stack,
  { faults }: Story,
  publications: readonly Publication[],
  pauses: Pauses,
): Promise<void> {
  const { broker } = stack;
  if (!faults) return void (await publishAll(broker, publications));
  let over = false;
  const publishing = (async () => {
    for (let at = 0; at < publications.length; at += 16) {
      const due = performance.now() + 16_000 / faults.rate;
      await publishAll(broker, publications.slice(at, at + 16));
      await eventually(() => over || performance.now() >= due, limitMs);
    }
  })();
  const untilMore = async (count: number) => {
    const goal = pauses.stored + count;
    await eventually(() => pauses.stored >= goal, limitMs);
  };
  const inject = faults.inject({
    ...stack,
    async fault(name, happens) {
      await untilMore(100);
      const holder = await holderOf(stack);
      await eventually(() => isInFlight(broker), limitMs);
      pauses.mark(name);
      await happens(holder);
    },
    async untilTakenOver(from) {
      await eventually(async () => (await holderOf(stack)) !== from, limitMs);
      await untilMore(1);
    },
  });
  await inject.finally(() => {
    over = true;
  });
  await publishing;
}

async function isInFlight({ jsm }: Broker): Promise<boolean> {
  const info = await jsm.consumers.info(source.stream, source.durable).catch(() => null);
  return (info?.num_ack_pending ?? 0) > 0;
}

/** The replica that has the lease, and lives. */
async function holderOf({ database: { sql }, supervisor }: Stack): Promise<ProxiedReplica> {
  let found: ProxiedReplica | undefined;
  await eventually(async () => {
    const [row] = await sql<{ holder: string }[]>`
      SELECT holder FROM leases WHERE name = ${source.durable} AND expires_at > now()`;
    found = supervisor.replicas.find(({ log }) =>
      log.some(({ msg, instance }) => msg === "serving" && instance === row?.holder),
    );
    return found !== undefined;
  }, limitMs);
  return found as ProxiedReplica;
}

type Pauses = ReturnType<typeof watchStoring>;

/** How long at a time nothing was stored, between what was stored first and last. */
function watchStoring({ database: { sql } }: Stack) {
  const marks: { name: string; at: number; pauseMs: number }[] = [];
  let [stored, storedAt, longest] = [0, 0, 0];
  let over = false;
  const watching = eventually(async () => {
    const [row] = await sql<{ count: number }[]>`SELECT count(*)::int FROM agent_events`;
    const now = performance.now();
    if (row && row.count > stored) {
      const pause = stored === 0 ? 0 : now - storedAt;
      longest = Math.max(longest, pause);
      const mark = marks.findLast(({ at }) => at <= now);
      if (mark) mark.pauseMs = Math.max(mark.pauseMs, pause);
      [stored, storedAt] = [row.count, now];
    }
    return over;
  }, 300_000);
  const seconds = (ms: number) => `${(ms / 1_000).toFixed(1)} s`;
  return {
    get stored() {
      return stored;
    },
    mark: (name: string) => marks.push({ name, at: performance.now(), pauseMs: 0 }),
    report: () =>
      [
        `longest pause in storing ${seconds(longest)}`,
        ...marks.map(({ name, pauseMs }) => `${name} ${seconds(pauseMs)}`),
      ].join(", "),
    async stop() {
      over = true;
      await watching;
    },
  };
}

const runSteps = {
  read: {
    name: "events looked up",
    matches: executes("FROM agent_events AS one"),
  },
  write: {
    name: "events written",
    matches: executes("last_cursor = asked.last_cursor"),
  },
  position: {
    name: "position moved",
    matches: executes("INSERT INTO stream_positions"),
  },
} as const satisfies Record<string, Step>;

/** The second write since the position moved: one slice of a batch is on its way, or stored, the others are not. */
function anotherSlice(): Step {
  let writes = 0;
  return {
    name: "another slice of a batch written",
    matches(message) {
      if (runSteps.position.matches(message)) writes = 0;
      else if (runSteps.write.matches(message)) writes += 1;
      else return false;
      return writes === 2;
    },
  };
}

const killed = (step: Step, moment: Moment, at: readonly number[]) => {
  const when = { before: "before", unanswered: "after", sent: "right after" }[moment];
  return { name: `replicas killed ${when}: ${step.name}`, failpoint: { step, moment, at } };
};

const turn = turns(3);

async function expectSame(story: Story): Promise<void> {
  const { differences, report } = await runStory(story);
  console.info(report);
  expect(differences, report).toEqual([]);
}

// The second number kills the successor.
for (const fault of [
  killed(runSteps.read, "before", [2, 3]),
  killed(runSteps.write, "before", [2, 3]),
  killed(runSteps.write, "unanswered", [2, 3]),
  killed(runSteps.position, "before", [2, 3]),
  killed(runSteps.position, "unanswered", [2, 3]),
  killed(steps.ack, "before", [40, 70]),
  killed(steps.ack, "sent", [7, 50]),
  killed(steps.deadLetter, "unanswered", [2, 3]),
  killed(steps.term, "before", [2, 3]),
]) {
  test.concurrent(`the same runs with ${fault.name}`, () =>
    turn(() => expectSame({ ...fault, seed: 1, size: 2, traffic: { messages: 500, runs: 50 } })));
}

for (const moment of ["before", "unanswered"] as const) {
  const fault = killed(anotherSlice(), moment, [1, 1]);
  test.concurrent(`the same runs with ${fault.name}`, () =>
    turn(() =>
      expectSame({
        ...{ ...fault, seed: 6, size: 2, traffic: { messages: 1_000, runs: 60 } },
        env: { EXPERIENCE_FETCH_BATCH: "128" },
      }),
    ));
}

test.concurrent("the same runs when each of six readers in a row is killed at once", () =>
  turn(() =>
    expectSame({
      ...killed(runSteps.write, "before", [1, 1, 1, 1, 1, 1]),
      ...{ seed: 2, size: 3, traffic: { messages: 300, runs: 30 } },
    }),
  ));

const long = { size: 3, traffic: { messages: 4_000, runs: 300 } };

test("the same runs when readers are killed, and the broker, while messages come", () =>
  expectSame({
    ...{ ...long, name: "readers and the broker killed", seed: 3 },
    faults: {
      rate: 200,
      async inject({ broker, fault, untilTakenOver }) {
        for (let i = 0; i < 2; i += 1) {
          await fault("reader killed", async (holder) => {
            holder.crash();
            await untilTakenOver(holder);
          });
        }
        await fault("broker killed", async () => {
          await broker.kill();
          await broker.restart();
        });
      },
    },
  }));

test("the same runs when a reader stops for longer than its lease, and goes on, while messages come", () =>
  expectSame({
    ...{ ...long, name: "a reader stopped for a while", seed: 4 },
    faults: {
      rate: 300,
      async inject({ fault, untilTakenOver }) {
        for (let i = 0; i < 2; i += 1) {
          await fault("reader stopped", async (holder) => {
            holder.kill("SIGSTOP");
            await untilTakenOver(holder);
            holder.kill("SIGCONT");
          });
        }
      },
    },
  }));

test("the same runs when a reader cannot reach PostgreSQL for longer than its lease", () =>
  expectSame({
    ...{ ...long, name: "a reader without PostgreSQL for a while", seed: 5 },
    faults: {
      rate: 200,
      async inject({ fault, untilTakenOver }) {
        await fault("reader without PostgreSQL", async (holder) => {
          holder.postgres.silence();
          await untilTakenOver(holder);
          holder.postgres.speak("lost");
        });
      },
    },
  }));
