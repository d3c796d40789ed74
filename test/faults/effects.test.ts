import { expect, test } from "vitest";
import { byShare, evidenceOf } from "../../src/handlers/effects/e-value.ts";
import type { ListReply, WireEffect } from "../../src/handlers/effects/wire.ts";
import type { RecallReply } from "../../src/handlers/lessons/wire.ts";
import { exposures } from "../../src/subjects.ts";
import { eventually } from "../rig/eventually.ts";
import { expectedOutcomes } from "../rig/outcomes.ts";
import { type Replica, startReplicaOfTest } from "../rig/replica.ts";
import { openStack, type Stack } from "../rig/service.ts";
import { ask, failure, publish, success, type WireEvent } from "../rig/traffic.ts";
import { randomFrom } from "../unit/effects/fleet.ts";

const horizonMs = 3_000;
const env = {
  EXPERIENCE_CONCERNS: "extractor,lessons,effects",
  LESSON_HORIZON_SECONDS: String(horizonMs / 1_000),
  // So that failures that return are a sighting of their own soon.
  EXPERIENCE_WINDOW_SECONDS: "2",
  // So that what a killed replica had in hand comes again soon.
  EXPERIENCE_ACK_WAIT_SECONDS: "5",
};

/** Twenty lessons of each of two agents: ten halve failures, five double them, the others do nothing. */
const agents = ["anna", "bert"] as const;
const tools = Array.from({ length: 20 }, (_, i) => `tool${i}`);
const ratioOf = (i: number) => (i < 5 ? 0.5 : i === 5 || i === 6 ? 2 : 1);
/** The seventh that does harm is one of Anna's. */
const ratioFor = (agent: string, i: number) => (agent === "anna" && i === 7 ? 2 : ratioOf(i));

const failureOf = (agent_id: string, tool: string, more: WireEvent = {}) =>
  failure({ agent_id, tool: { name: tool }, ...more });

interface Fleet {
  readonly stack: Stack;
  /** Agent and tool of each lesson. */
  readonly keys: Map<string, string>;
}

const recall = async ({ stack }: Pick<Fleet, "stack">, agent_id: string, run_id?: string) => {
  const request = { agent_id, task_type: "triage", max_lessons: 20, max_chars: 8_000 };
  const { body } = await ask(stack.broker.nc, "experience.lessons.recall", {
    ...{ ...request, ...(run_id && { run_id }) },
  });
  return body as RecallReply;
};

async function learn(stack: Stack): Promise<Fleet> {
  const first = agents.flatMap((agent) =>
    tools.flatMap((tool) => [1, 2, 3].map(() => failureOf(agent, tool))),
  );
  await publish(stack.broker, ...first);
  for (const agent of agents) {
    // Ten answers in a row: each replica knows all.
    let knowing = 0;
    await eventually(async () => {
      knowing = (await recall({ stack }, agent)).lessons.length === 20 ? knowing + 1 : 0;
      return knowing === 10;
    }, 60_000);
  }
  const rows = await stack.database.sql<{ lesson_key: string; agent_id: string; tool: string }[]>`
    SELECT lesson_key, agent_id, signals->>'tool' AS tool FROM agent_lessons WHERE scope = 'agent'`;
  const keys = new Map(rows.map((row) => [`${row.agent_id} ${row.tool}`, row.lesson_key]));
  return { stack, keys };
}

/** A burst at birth, a drift, and an outage in which nearly everything fails. */
function baseAt(i: number, agent: string, tool: number): number {
  if (i >= 150 && i < 160) return 0.9;
  const base = ratioFor(agent, tool) === 2 ? 0.4 : 0.8;
  return i < 10 ? base * 1.4 : base * (1 + 0.15 * Math.sin(i / 50));
}

const random = randomFrom(17);
let unrecorded = 0;

/** One run: asks, and fails as its lessons make it fail. Events come twice now and then. */
async function runOf(fleet: Fleet, agent: string, i: number): Promise<WireEvent[]> {
  const run_id = `${agent}-${i}`;
  // Where the answer came too late to be sure that it is on record, it may be, and the coin holds all the same.
  const { lessons, recorded } = await recall(fleet, agent, run_id);
  if (!recorded) unrecorded++;
  const attached = new Set(lessons.map(({ lesson_key }) => lesson_key));
  const failed = tools.flatMap((tool, number) => {
    const key = fleet.keys.get(`${agent} ${tool}`) ?? "";
    const ratio = attached.has(key) ? ratioFor(agent, number) : 1;
    return random() < baseAt(i, agent, number) * ratio ? [failureOf(agent, tool, { run_id })] : [];
  });
  const twice = failed.filter(() => random() < 0.1);
  return [...failed, ...twice, success({ agent_id: agent, run_id, tool: { name: "other" } })];
}

/** So few that an answer seldom comes later than an agent waits. */
const atOnce = 5;

async function runs(fleet: Fleet, of: readonly string[], from: number, to: number): Promise<void> {
  for (let i = from; i < to; i += atOnce) {
    const numbers = Array.from({ length: atOnce }, (_, k) => i + k);
    const asked = of.flatMap((agent) => numbers.map((number) => runOf(fleet, agent, number)));
    await publish(fleet.stack.broker, ...(await Promise.all(asked)).flat());
  }
}

async function effectsOf({ stack }: Fleet): Promise<WireEffect[]> {
  const { body } = await ask(stack.broker.nc, "experience.effects.list", { limit: 200 });
  return (body as ListReply).effects.filter(({ scope }) => scope === "agent");
}

/** What a killed replica had in hand comes again when its time to ack is over. */
async function areRecorded({ broker: { jsm } }: Stack): Promise<boolean> {
  const { num_pending, num_ack_pending } = await jsm.consumers.info(
    exposures.stream,
    exposures.durable,
  );
  return num_pending + num_ack_pending === 0;
}

/** Time passes in the stream as long as something happens in it. */
async function untilCounted(fleet: Fleet): Promise<WireEffect[]> {
  const { sql } = fleet.stack.database;
  let effects: WireEffect[] = [];
  await eventually(() => areRecorded(fleet.stack), 60_000);
  await eventually(async () => {
    await publish(fleet.stack.broker, success({ agent_id: "clock" }));
    const [row] = await sql`SELECT count(*)::int AS exposures FROM lesson_exposures`;
    effects = await effectsOf(fleet);
    const counted = effects.reduce((sum, one) => sum + one.attached.runs + one.held_out.runs, 0);
    return counted === row?.["exposures"];
  }, 90_000);
  return effects;
}

const figuresOf = (effects: readonly WireEffect[]) =>
  effects.map(({ evaluated_at: _, ...rest }) => JSON.stringify(rest));

test("planted lessons are found though replicas are killed, whoever counts again counts the same, and what nobody needs sleeps until it is needed", async () => {
  const stack = await openStack();
  const start = async (): Promise<Replica> => {
    const replica = startReplicaOfTest(stack.env(env));
    await replica.ready();
    return replica;
  };
  const [first, second] = [await start(), await start()];
  const fleet = await learn(stack);
  await runs(fleet, agents, 0, 200);
  first.kill("SIGKILL");
  await first.exited;
  const third = await start();
  await runs(fleet, agents, 200, 480);
  const effects = await untilCounted(fleet);

  const plantedAs = (ratio: number) =>
    agents.flatMap((agent) =>
      tools.filter((_, i) => ratioFor(agent, i) === ratio).map((tool) => `${agent} ${tool}`),
    );
  const verdictOf = new Map<string, string>();
  await eventually(async () => {
    for (const { lesson_key, verdict } of await effectsOf(fleet)) {
      verdictOf.set(lesson_key, verdict);
    }
    return [...verdictOf.values()].filter((verdict) => verdict === "helps").length >= 10;
  }, 10_000).catch(() => undefined);
  const called = (ratio: number, verdict: string) =>
    plantedAs(ratio).filter((name) => verdictOf.get(fleet.keys.get(name) ?? "") === verdict).length;
  const found = {
    helps: [called(0.5, "helps"), called(0.5, "harms")],
    harms: [called(2, "harms"), called(2, "helps")],
    nothing: called(1, "helps") + called(1, "harms"),
  };
  console.info(JSON.stringify({ ...found, unrecorded }));
  expect(found.helps[0]).toBeGreaterThanOrEqual(6);
  expect(found.harms[0]).toBeGreaterThanOrEqual(3);
  expect([found.helps[1], found.harms[1]]).toEqual([0, 0]);
  expect(found.nothing).toBeLessThanOrEqual(2);

  // Every count is what the streams say, and every number is that of the counts.
  const nameOf = new Map([...fleet.keys].map(([name, key]) => [name, key]));
  const expected = await expectedOutcomes(stack, horizonMs, ({ agent_id, tool, result }) => {
    const name = `${agent_id} ${(tool as { name?: string } | undefined)?.name}`;
    return (result as { ok: boolean }).ok ? null : (nameOf.get(name) ?? null);
  });
  expect(effects).toHaveLength(40);
  for (const effect of effects) {
    expect(effect).toMatchObject(expected.get(effect.lesson_key) ?? { lesson_key: "expected" });
    const counts = effect.epochs.map(({ share, attached, held_out }) => ({
      ...{ share, attached: attached.failed, heldOut: held_out.failed },
    }));
    expect(Object.is(evidenceOf(byShare(counts).reverse()).logE(0), effect.log_e)).toBe(true);
  }

  // Whoever takes over looks at everything, and finds the same to the last bit.
  const replicas = [second, third];
  const lookedAtAnew = async () => {
    const since = new Date();
    for (const replica of replicas.splice(0)) {
      replica.kill("SIGKILL");
      await replica.exited;
    }
    replicas.push(await start());
    await eventually(async () => {
      const later = await stack.database.sql`SELECT FROM effect_checks WHERE at > ${since}`;
      return later.length === 2;
    }, 60_000);
    return figuresOf(await effectsOf(fleet));
  };
  await lookedAtAnew();
  expect(await lookedAtAnew()).toEqual(await lookedAtAnew());

  // Upstream is mended: nobody fails any more, with a lesson or without it.
  const stateOf = async (name: string) =>
    (await effectsOf(fleet)).find(({ lesson_key }) => lesson_key === fleet.keys.get(name));
  for (let i = 0; i < 320; i += 2 * atOnce) {
    const numbers = Array.from({ length: 2 * atOnce }, (_, k) => 1_000 + i + k);
    await Promise.all(numbers.map((number) => recall(fleet, "anna", `anna-${number}`)));
  }
  await untilCounted(fleet);
  let asleep: WireEffect | undefined;
  await eventually(async () => {
    asleep = (await effectsOf(fleet)).find(({ state }) => state === "dormant");
    return asleep !== undefined;
  }, 30_000);
  expect(asleep).toMatchObject({ share: 0, verdict: "helps" });
  const [name = ""] = [...fleet.keys].find(([, key]) => key === asleep?.lesson_key) ?? [];
  expect(plantedAs(0.5)).toContain(name);

  // It fails again.
  const [agent = "", tool = ""] = name.split(" ");
  await eventually(async () => {
    await publish(stack.broker, ...[1, 2, 3].map(() => failureOf(agent, tool)));
    return (await stateOf(name))?.state === "trial";
  }, 30_000);
  const awake = await stateOf(name);
  expect(awake).toMatchObject({ share: 0.5, epoch: (asleep?.epoch ?? 0) + 1 });
}, 300_000);
