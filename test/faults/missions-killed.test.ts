import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { type Change, isoTime, recordKey } from "../../src/handlers/missions/change.ts";
import { decodeChange } from "../../src/handlers/missions/change-wire.ts";
import { fold } from "../../src/handlers/missions/snapshot.ts";
import { openSnapshots } from "../../src/handlers/missions/store.ts";
import { openDatabase, silentLog } from "../../src/postgres/client.ts";
import { defaultEventIdOf, identityOf } from "../../src/runtime/delivery.ts";
import { groupBy } from "../../src/runtime/grouping.ts";
import { changeSubject } from "../../src/subjects.ts";
import type { Broker } from "../rig/broker.ts";
import { eventually, lasting } from "../rig/eventually.ts";
import { startReplica } from "../rig/replica.ts";
import { openStack, type Stack } from "../rig/service.ts";
import { type Build, copyBuild } from "./build.ts";
import { storedMessages } from "./comparison.ts";
import { type Random, randomFrom, shuffled } from "./events.ts";
import { type Publication, publishAll } from "./publications.ts";
import { startReplaced } from "./replaced.ts";
import { startUnreliablePlanner } from "./unreliable-planner.ts";

/** 10 is the size that was promised: 20,000 changes of 500 records, 1,000 missions of 50 agents, 30 kills. */
const size = Number(process.env["MISSION_FAULT_SIZE"] ?? "1");
const sizes = {
  ...{ changes: 2_000 * size, records: 50 * size },
  ...{ missions: 100 * size, agents: 5 * size, replicas: size >= 10 ? 4 : 3, kills: 3 * size },
};
const limitMs = 60_000 + 60_000 * size;
/** Longer than a planner may take, and that longer than the slowest plan. */
const claimSeconds = 8;
const plannerTimeoutSeconds = 4;
const day = 86_400_000;

let build: Build;
beforeAll(() => {
  build = copyBuild();
});
afterAll(() => build.remove());

/** Inserts, updates and deletes, of equal times, without field times, some twice. */
function randomChanges(random: Random): Publication[] {
  const base = Date.now() - 3_600_000;
  const changes = Array.from({ length: sizes.changes }, (_, i) => {
    const time = () => base + random(50);
    const fields = ["a", "b", "c", "d"].filter(() => random(2) === 0);
    const table = ["notes", "tasks", "agents"][random(3)] ?? "notes";
    const change = {
      ...{ event_id: `c-${random(sizes.changes)}`, user_id: `u-${random(3)}`, table },
      ...{ record_id: `r-${random(sizes.records / 10)}`, ts: time() },
      op: random(60) === 0 ? "delete" : ["insert", "update"][random(2)],
      data: Object.fromEntries(fields.map((field) => [field, random(1_000)])),
      field_meta: Object.fromEntries(
        fields.filter(() => random(3) > 0).map((field) => [field, time()]),
      ),
    };
    return publicationOf(change, `message-${i}`);
  });
  const again = changes.filter(() => random(10) === 0);
  const renamed = again.map((one, i) => ({ ...one, messageId: `again-${i}` }));
  return shuffled([...changes, ...renamed], random);
}

function publicationOf(
  change: { readonly table: string; readonly record_id: string },
  messageId: string,
): Publication {
  const subject = changeSubject(change.table, change.record_id);
  return { subject, payload: Buffer.from(JSON.stringify(change)), messageId };
}

const limitOf = (agent: number) => 1 + (agent % 5);

function missionRecords(): Publication[] {
  const of = { user_id: "ada", op: "insert", ts: Date.now() };
  const agents = Array.from({ length: sizes.agents }, (_, i) => {
    const data = { name: `Agent ${i}`, state: "active", max_concurrent_missions: limitOf(i) };
    return publicationOf(
      { ...of, table: "agents", record_id: `agent-${i}`, data } as never,
      `a-${i}`,
    );
  });
  const missions = Array.from({ length: sizes.missions }, (_, i) => {
    const data = {
      ...{ title: `Mission ${i}`, state: "active", agent_id: `agent-${i % sizes.agents}` },
      ...{ next_run_at: isoTime(Date.now() - 1_000 - i), every_seconds: 86_400 },
    };
    return publicationOf(
      { ...of, table: "missions", record_id: `m-${i}`, data } as never,
      `m-${i}`,
    );
  });
  return [...agents, ...missions];
}

function startFleet(stack: Stack) {
  const env = stack.env({
    ...{ EXPERIENCE_CONCERNS: "missions", MISSION_PLANNER: "nats:planner" },
    ...{ MISSION_TICK_SECONDS: "0.5", MISSION_CLAIM_SECONDS: String(claimSeconds) },
    ...{ MISSION_PLANNER_TIMEOUT_SECONDS: String(plannerTimeoutSeconds) },
    ...{ MISSION_PARALLEL: "16", EXPERIENCE_ACK_WAIT_SECONDS: "3" },
  });
  return startReplaced(sizes.replicas, () => startReplica(env, build.main));
}

/** Everything that is in the stream, as the definition reads it. */
async function allChanges(broker: Broker): Promise<Change[]> {
  const { created } = await broker.jsm.streams.info("CHANGES");
  const changes: Change[] = [];
  for (const { seq, headers, subject, data, storedAt } of await storedMessages(broker, "CHANGES")) {
    const identity = identityOf(created, seq);
    const message = { subject, data, headers, identity, storedAt };
    changes.push(decodeChange(data, { defaultEventId: defaultEventIdOf(message), storedAt }));
  }
  return changes;
}

async function differencesOf(stack: Stack): Promise<string[]> {
  const byRecord = groupBy(await allChanges(stack.broker), recordKey);
  const database = openDatabase({ url: stack.database.url, log: silentLog });
  const keys = [...byRecord.values()].flatMap(([first]) => first ?? []);
  const found = await openSnapshots(database).read(keys);
  await database.close();
  const stored = new Map(
    found.map((one) => {
      const { record, fieldMeta, deleted } = one;
      return [recordKey(one), JSON.stringify(sorted({ record, fieldMeta, deleted }))];
    }),
  );
  return [...byRecord].flatMap(([key, those]) => {
    const wanted = JSON.stringify(sorted(fold(undefined, those)));
    return stored.get(key) === wanted ? [] : [`${key}: ${stored.get(key)} instead of ${wanted}`];
  });
}

function sorted(value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, one]) => [key, sorted(one)]));
}

test(
  "killed and frozen replicas plan each due time once, and keep the fold of all changes",
  async () => {
    const random = randomFrom(11);
    const stack = await openStack();
    const fleet = startFleet(stack);
    try {
      await Promise.all(fleet.replicas.map((one) => one.ready()));
      const planner = await startUnreliablePlanner(stack.broker.url, random);
      onTestFinished(() => planner.close());
      const written = async () => {
        const [row] = await stack.database.sql`SELECT count(*)::int AS n FROM mission_iterations`;
        return Number(row?.["n"]);
      };
      const published = publishAll(stack.broker, [...missionRecords(), ...randomChanges(random)]);
      await eventually(async () => (await written()) > 0, limitMs);
      const [frozen] = fleet.replicas;
      frozen?.kill("SIGSTOP");
      await lasting(claimSeconds * 1_000 + 500);
      frozen?.kill("SIGCONT");
      for (let kill = 0; kill < sizes.kills; kill++) {
        const untilThen = (sizes.missions * kill) / sizes.kills;
        await eventually(async () => (await written()) >= untilThen, limitMs);
        const killed = fleet.kill(random(sizes.replicas));
        await (kill % 3 === 1 ? planner.dieFor(killed) : killed);
      }
      await published;
      await eventually(async () => (await written()) === sizes.missions, limitMs);
      await eventually(async () => {
        const [row] = await stack.database.sql`SELECT count(*)::int AS n FROM mission_outbox`;
        const { num_pending, num_ack_pending } = await stack.broker.jsm.consumers.info(
          "CHANGES",
          "mission-snapshots-v1",
        );
        return row?.["n"] === 0 && num_pending + num_ack_pending === 0;
      }, limitMs);

      const iterations = await stack.database.sql<{ id: string; mission: string }[]>`
      SELECT iteration_id AS id, mission_id AS mission FROM mission_iterations`;
      expect(new Set(iterations.map(({ mission }) => mission)).size).toBe(sizes.missions);
      const ids = (await storedMessages(stack.broker, "CHANGES"))
        .map(({ data }) => JSON.parse(Buffer.from(data).toString()))
        .filter(({ actor }) => actor?.kind === "ai")
        .map(({ event_id }) => event_id);
      expect(ids.sort()).toEqual(iterations.map(({ id }) => id).sort());
      for (const [agent, most] of planner.most) {
        expect(most, agent).toBeLessThanOrEqual(limitOf(Number(agent.split("-")[1])));
      }
      const { plans, ...failures } = planner.seen;
      expect(plans).toBeGreaterThanOrEqual(sizes.missions);
      for (const [kind, count] of Object.entries(failures)) {
        expect(count, kind).toBeGreaterThan(0);
      }
      const [left] = await stack.database.sql`
      SELECT count(*)::int AS n FROM mission_snapshots WHERE due_at <= now() + ${day / 2} * interval '1 millisecond'`;
      expect(left?.["n"]).toBe(0);
      expect(await differencesOf(stack)).toEqual([]);
    } finally {
      await fleet.remove();
    }
  },
  300_000 * (1 + size),
);
