import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/transport-node";
import { describe, expect, onTestFinished, test } from "vitest";
import { desiredState } from "../../src/handlers/derived.ts";
import { concernNames } from "../../src/handlers/index.ts";
import { readGranted } from "../../src/nats/permissions.ts";
import { provision } from "../../src/nats/provision.ts";
import { includesSubject } from "../../src/nats/subject-pattern.ts";
import { silentLog } from "../../src/postgres/client.ts";
import { migrate } from "../../src/postgres/migrate.ts";
import { startService } from "../../src/service.ts";
import { readSettings } from "../../src/settings/index.ts";
import { eventually as within } from "../rig/eventually.ts";
import { get, type LogLine, recordingLog } from "../rig/service.ts";
import { ask, failure } from "../rig/traffic.ts";
import { lessonReader, makeLessonReader } from "./lesson-reader.ts";
import { openSecuredDatabase, type SecuredDatabase } from "./roles.ts";
import { type SecuredBroker, startSecuredBroker } from "./secured.ts";
import { serversToTest } from "./servers.ts";

/** For feedback that PostgreSQL refuses: what cannot be read is the dead letter of another durable. */
const rarelyUsed = new Set([
  // By a replica that hosts not everything.
  "$SRV.INFO.experience-bus",
  "$KV.review-feedback-v1-attempts.>",
  "dead.FEEDBACK.review-feedback-v1",
  // Read leniently: what is invalid is the dead letter of the extractor.
  "dead.EXPERIENCE.lesson-windows-v1",
  "dead.EXPERIENCE.experience-counts-v1",
  "dead.EXPERIENCE.lesson-outcomes-v1",
  // When enough runs have been counted for a verdict.
  "agent.lesson.verdict.v1",
  // The service itself writes what is in it.
  "$KV.mission-snapshots-v1-attempts.>",
  "$KV.exposure-recorder-v1-attempts.>",
  "dead.EXPOSURES.exposure-recorder-v1",
]);

/** A whole deployment is at work here, and beside it other tests. */
const eventually = (ask: () => Promise<boolean> | boolean) => within(ask, 20_000);

/** Everything made by those whose business it is: streams by the provisioner, tables by the migrator. */
async function openDeployment(binary: string) {
  const [broker, database] = await Promise.all([startSecuredBroker(binary), openSecuredDatabase()]);
  await migrate(database.urlOf("experience_migrator"), { log: silentLog });
  await database.grant();
  await provisionAll(broker, database);
  return { broker, database };
}

async function provisionAll(broker: SecuredBroker, database: SecuredDatabase): Promise<void> {
  const nc = await broker.connect("provisioner");
  const needed = desiredState(settingsOf(broker, database), concernNames);
  await provision(await jetstreamManager(nc), needed, "apply");
  await makeLessonReader(nc);
}

const settingsOf = (broker: SecuredBroker, database: SecuredDatabase) =>
  readSettings({
    ...broker.env("service"),
    LEARNER_DATABASE_URL: database.urlOf("experience_service"),
    EXPERIENCE_PROVISION: "verify",
    HTTP_PORT: "0",
    RUN_STALE_SECONDS: "5",
  });

async function start(broker: SecuredBroker, database: SecuredDatabase) {
  const { log, lines } = recordingLog();
  const fatal: unknown[] = [];
  const service = await startService({
    settings: settingsOf(broker, database),
    log,
    signal: new AbortController().signal,
    onFatal: (error) => fatal.push(error),
  });
  onTestFinished(() => service.stop());
  return { service, lines, fatal };
}

async function learnsFrom(agent: NatsConnection, fields: object, sql: SecuredDatabase["sql"]) {
  const js = jetstream(agent);
  const before = await lessonsIn(sql);
  for (let i = 0; i < 3; i++) {
    await js.publish("agent.experience.v1.scout", JSON.stringify(failure({ ...fields })));
  }
  await eventually(async () => (await lessonsIn(sql)) === before + 1);
}

const lessonsIn = async (sql: SecuredDatabase["sql"]) =>
  Number((await sql`SELECT count(*) FROM agent_lessons`)[0]?.["count"]);

async function followToItsEnd(port: number, run: string): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${port}/runs/${run}/events`);
  return await response.text();
}

const logged = (lines: readonly LogLine[], sentence: RegExp) =>
  lines.some(({ msg }) => sentence.test(msg));

const isDenied = (line: LogLine) => JSON.stringify(line).includes("permission denied");

/** A server 2.10 tells of its entries without their queue groups. */
const includesEntry = (entry: string, used: string) =>
  includesSubject(entry.replace(/ .*/, ""), used.replace(/ .*/, ""));

describe.each(await serversToTest())("on %s", (_, binary) => {
  const onServer = binary === null ? test.skip : test;

  onServer(
    "the service does everything it is there for without a violation",
    { timeout: 120_000 },
    async () => {
      const { broker, database } = await openDeployment(String(binary));
      const { sql } = database;
      const [agent, producer, reader, operator, admin] = (await Promise.all(
        (["agent", "producer", "reader", "operator", "admin"] as const).map(broker.connect),
      )) as [NatsConnection, NatsConnection, NatsConnection, NatsConnection, NatsConnection];
      const heard: string[] = [];
      const hearing = reader.subscribe("agent.lesson.v1", {
        callback: (error, message) => {
          heard.push(error?.message ?? message.subject);
        },
      });
      await reader.flush();

      // An event that has been delivered again and again is a suspect: its attempts are noted.
      const toAgents = jetstream(agent);
      await toAgents.publish("agent.experience.v1.scout", JSON.stringify(failure()));
      await deliveredAgain(admin, "EXPERIENCE", "experience-learner-v1");
      const toStreams = jetstream(producer);
      await toStreams.publish("signals.page.opened", JSON.stringify({ user_id: "bob" }));
      await deliveredAgain(admin, "SIGNALS", "feature-pipeline-signals");
      const manager = await jetstreamManager(admin);
      const attempts = async () =>
        (await manager.streams.info("KV_experience-learner-v1-attempts")).state.last_seq;
      const unwritten = await attempts();

      const first = await start(broker, database);
      const { httpPort } = first.service;
      expect(await get(httpPort, "/readyz")).toEqual({ status: 200, text: "ok" });

      await eventually(async () => (await attempts()) > unwritten);

      // Lessons: learned, published, read by consumers, explained; events by request, too.
      await learnsFrom(agent, { task_type: "first" }, sql);
      await eventually(() => heard.length === 1);
      expect(heard).toEqual(["agent.lesson.v1"]);
      expect(await readLessons(reader)).toBe(1);
      const explained = await ask(
        operator,
        "experience.extractor.explain",
        failure({ task_type: "first" }),
      );
      expect(explained.error).toBe("");
      // An agent is told of it, and told again: the record of its run is written, and read.
      const scout = { agent_id: "scout", task_type: "first", run_id: "told" };
      const recall = async () => (await ask(agent, "experience.lessons.recall", scout)).body;
      await eventually(
        async () => (await recall()).recorded && (await recall()).omitted.length > 0,
      );
      await eventually(async () => (await sql`SELECT FROM lesson_exposures`).length > 0);
      const ended = { run_id: "told", success: true };
      expect((await ask(agent, "experience.lessons.outcome", ended)).body).toEqual({
        stored: true,
      });
      // The stream is read again, and the tables are held against it.
      const tried = await ask(operator, "experience.history.backtest", { error_threshold: 2 });
      expect(tried.body).toMatchObject({ partial: false, same: 1 });
      const { error: rootError, body: root } = await ask(operator, "experience.lessons.root");
      expect([rootError, root.lessons]).toEqual(["", 1]);
      const extracted = await ask(
        operator,
        "experience.extractor",
        failure({ task_type: "asked" }),
      );
      expect(extracted.error).toBe("");

      // Features.
      await toStreams.publish("signals.page.opened", JSON.stringify({ user_id: "ada" }));
      await toStreams.publish("feedback.given", JSON.stringify({ user_id: "ada" }));
      const ada = () => ask(operator, "experience.features.get", { user_id: "ada" });
      await eventually(async () => (await ada()).body.version === 2);
      await ask(operator, "experience.features.batch", { user_ids: ["ada"] });

      // Runs: appended, alive, stored from the stream, followed, read.
      const appended = await ask(producer, "experience.runs.append", {
        run_id: "r1",
        type: "token",
      });
      expect(appended.body).toMatchObject({ stored: 1 });
      await ask(producer, "experience.runs.heartbeat", { run_id: "r1" });
      const followed = followToItsEnd(httpPort, "r1");
      await toStreams.publish(
        "agent.run.v1.r1",
        JSON.stringify({ run_id: "r1", type: "run_completed" }),
      );
      expect(await followed).toContain("run_completed");
      for (const endpoint of ["get", "list", "events", "latest"]) {
        const { error } = await ask(operator, `experience.runs.${endpoint}`, {
          ...(endpoint !== "list" && { run_id: "r1" }),
        });
        expect([endpoint, error]).toEqual([endpoint, ""]);
      }
      // One that is abandoned is ended.
      await ask(producer, "experience.runs.append", { run_id: "r2", type: "token" });
      const statusOf = async (run: string) =>
        (await sql`SELECT status FROM agent_runs WHERE run_id = ${run}`)[0]?.["status"];
      await eventually(async () => (await statusOf("r2")) === "failed");

      // Agents and missions: a change with an answer, and one from the stream.
      const change = { user_id: "ada", table: "agents", op: "insert", data: { name: "Scout" } };
      const changed = await ask(operator, "experience.changes.append", {
        ...change,
        record_id: "a1",
      });
      expect(changed.error).toBe("");
      await toStreams.publish(
        "agent.change.v1.agents.a2",
        JSON.stringify({ ...change, record_id: "a2" }),
      );
      await eventually(async () => (await sql`SELECT FROM agent_snapshots`).length === 2);

      // Dead letters of every stream: listed, shown, replayed, purged.
      const bad = [
        [agent, "agent.experience.v1.scout"],
        [producer, "signals.page.opened"],
        [producer, "feedback.given"],
        [producer, "agent.run.v1.r1"],
        [producer, "agent.change.v1.agents.a1"],
      ] as const;
      for (const [nc, subject] of bad) await jetstream(nc).publish(subject, "not JSON");
      const letters = async () =>
        (await ask(operator, "experience.deadletters.list", { replayed: false })).body.dead_letters;
      await eventually(async () => (await letters()).length === 5);
      const [{ id }] = await letters();
      expect((await ask(operator, "experience.deadletters.get", { id })).body.payload).toBe(
        "not JSON",
      );
      const replayed = await ask(operator, "experience.deadletters.replay", { all: true });
      expect(replayed.body).toMatchObject({ matched: 5, replayed: 5 });
      // They are as bad as before.
      await eventually(async () => (await letters()).length === 5);
      const purged = await ask(operator, "experience.deadletters.purge", { reason: "not JSON" });
      expect(purged.body).toMatchObject({ matched: 10, purged: 10 });

      // Evidence lost: rebuilt from the stream.
      await manager.streams.purge("KV_experience-learner-v1-evidence");
      await toAgents.publish(
        "agent.experience.v1.scout",
        JSON.stringify(failure({ task_type: "half" })),
      );
      await eventually(() => logged(first.lines, /^events read again$/));

      // The bucket itself lost: it is waited for, and whoever provisions makes it anew.
      await manager.streams.delete("KV_experience-learner-v1-evidence");
      await eventually(async () => {
        const { status, text } = await get(httpPort, "/readyz");
        return (
          status === 503 && /kv: stream KV_experience-learner-v1-evidence is missing/.test(text)
        );
      });
      await provisionAll(broker, database);
      await eventually(async () => (await get(httpPort, "/readyz")).status === 200);
      await learnsFrom(agent, { task_type: "second" }, sql);

      // What the operator asks of the whole and of this replica.
      const { instance } = first.service;
      const stats = await ask(operator, "experience.stats");
      expect(stats.body).toMatchObject({ lessons: { error: 2 }, instance: { id: instance } });
      const fleet = await ask(operator, "experience.fleet.health");
      expect(fleet.body.replicas).toMatchObject([{ instance }]);
      for (const subject of ["experience.health", `experience.health.${instance}`]) {
        expect((await ask(operator, subject)).body).toMatchObject({ instance });
      }
      for (const verb of ["PING", "INFO", "STATS"]) {
        for (const of of ["", ".experience-bus", `.experience-bus.${instance}`]) {
          expect((await ask(operator, `$SRV.${verb}${of}`)).body).toMatchObject({ id: instance });
        }
      }
      const look = await jetstreamManager(operator);
      expect((await look.streams.list().next()).length).toBeGreaterThan(5);
      expect((await look.consumers.list("EXPERIENCE").next()).length).toBeGreaterThan(0);
      expect((await look.streams.info("LESSONS")).state.messages).toBe(2);
      await look.consumers.info("EXPERIENCE", "experience-learner-v1");
      expect((await get(httpPort, "/metrics")).status).toBe(200);

      // Another replica reads runs on, from where this one came to, and removes what is old.
      await first.service.stop();
      await sql`UPDATE agent_runs SET completed_at = '2020-01-01', updated_at = '2020-01-01' WHERE run_id = 'r1'`;
      await toStreams.publish("agent.run.v1.r3", JSON.stringify({ run_id: "r3", type: "token" }));
      const second = await start(broker, database);
      await eventually(async () => (await statusOf("r3")) !== undefined);
      await eventually(async () => (await statusOf("r1")) === undefined);
      await eventually(async () => {
        const { text } = await get(second.service.httpPort, "/health");
        return JSON.parse(text).status === "ok";
      });

      // Two at once hand events to whoever owns their agent.
      const third = await start(broker, database);
      const handedOn = async () => {
        const texts = await Promise.all(
          [second, third].map(({ service }) => get(service.httpPort, "/metrics")),
        );
        return texts.some(({ text }) =>
          /^affinity_events_total\{outcome="handed_on"\} [1-9]/m.test(text),
        );
      };
      await eventually(async () => {
        for (let i = 0; i < 8; i++) {
          const event = JSON.stringify(failure({ agent_id: `agent-${i}`, task_type: `t-${i}` }));
          await toAgents.publish(`agent.experience.v1.agent-${i}`, event);
        }
        return await handedOn();
      });
      await third.service.stop();

      // A server that was restarted has forgotten when it delivered last, so the messages are asked.
      await broker.restart();
      await eventually(async () => {
        const { text } = await get(second.service.httpPort, "/health");
        const { status, checks } = JSON.parse(text);
        return status === "ok" && checks.consumers["RUNS/run-recorder-v1"].last_msg_at !== null;
      });

      hearing.unsubscribe();
      expect([...first.fatal, ...second.fatal, ...third.fatal]).toEqual([]);
      const reported = [...first.lines, ...second.lines].filter(({ msg }) =>
        /NATS reported/.test(msg),
      );
      expect(reported).toEqual([]);
      expect([...first.lines, ...second.lines].filter(isDenied)).toEqual([]);
      expect(broker.violations()).toEqual([]);

      // All that it did, and nothing that it may do is for nothing.
      const granted = await readGranted(await broker.connect("service"));
      const used = broker.used("service");
      for (const operation of ["publish", "subscribe"] as const) {
        const isUsed = (entry: string) => used[operation].some((one) => includesEntry(entry, one));
        const entries = granted?.[operation]?.allow ?? [];
        const unused = entries.filter((entry) => !isUsed(entry) && !rarelyUsed.has(entry));
        expect(unused).toEqual([]);
      }
    },
  );
});

/** As if replicas had died with it. */
async function deliveredAgain(admin: NatsConnection, stream: string, durable: string) {
  const consumer = await jetstream(admin).consumers.get(stream, durable);
  for (let i = 0; i < 3; i++) (await consumer.next())?.nak();
  await admin.flush();
}

/** By the durable that is made for readers. */
async function readLessons(reader: NatsConnection): Promise<number> {
  const durable = await lessonReader(reader);
  let count = 0;
  for await (const message of await durable.fetch({ max_messages: 1, expires: 5_000 })) {
    expect(await message.ackAck()).toBe(true);
    count += 1;
  }
  return count;
}
