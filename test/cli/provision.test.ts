import { AckPolicy, RetentionPolicy, StorageType } from "@nats-io/jetstream";
import { nanos } from "@nats-io/transport-node";
import { expect, onTestFinished, test } from "vitest";
import { desiredState } from "../../src/handlers/derived.ts";
import { readSettings } from "../../src/settings/index.ts";
import { type Broker, startBroker } from "../rig/broker.ts";
import { run } from "./command.ts";

async function openBroker() {
  const broker = await startBroker();
  onTestFinished(() => broker.remove());
  const provision = (args = "", env: Record<string, string> = {}) =>
    run(`provision ${args}`, { NATS_URL: broker.url, ...env });
  return { ...broker, provision };
}

const { streams, durables } = desiredState(readSettings({ NATS_URL: "nats://n" }, ["nats"]));

const created = async ({ jsm }: Pick<Broker, "jsm">) =>
  (await jsm.consumers.info("EXPERIENCE", "experience-learner-v1")).created;

test("it makes all that is missing, says what, and finds nothing to do after that", async () => {
  const { provision, jsm } = await openBroker();
  const first = await provision();
  expect(first.code).toBe(0);
  expect(first.out).toContain("created    stream EXPERIENCE\n");
  expect(first.out).toContain("created    consumer EXPERIENCE/experience-learner-v1\n");
  expect(first.out).not.toContain("run-recorder-v1\n");
  expect(await jsm.streams.names().next()).toHaveLength(streams.length);
  const second = await provision();
  expect(second).toMatchObject({ code: 0, out: "JetStream is as the settings want it.\n" });
});

test("with --dry-run it only says so", async () => {
  const { provision, jsm } = await openBroker();
  const { out, code } = await provision("--dry-run --json");
  expect(code).toBe(0);
  const { steps, dry_run } = JSON.parse(out);
  expect(dry_run).toBe(true);
  const made = durables.filter(({ inOrder }) => !inOrder);
  expect(steps).toHaveLength(streams.length + made.length);
  expect(steps[0]).toMatchObject({ action: "create", done: false });
  expect(await jsm.streams.names().next()).toEqual([]);
});

test("what differs is updated; a durable that exists is not made anew", async () => {
  const { provision, jsm } = await openBroker();
  await provision();
  await jsm.streams.update("EXPERIENCE", { subjects: ["agent.experience.v1.a"] });
  await jsm.consumers.update("EXPERIENCE", "experience-learner-v1", {
    ...{ ack_wait: nanos(5_000), max_deliver: 3, filter_subject: "agent.experience.v1.a" },
  });
  const before = await created({ jsm });
  const env = { EXPERIENCE_EVENT_DEDUP_TTL_SECONDS: "7200" };
  const { out, code } = await provision("", env);
  expect(code).toBe(0);
  expect(out).toMatch(
    /updated +stream EXPERIENCE: subjects \["agent.experience.v1.a"\] -> \["agent.experience.v1.>"\]/,
  );
  expect(out).toMatch(/updated +consumer EXPERIENCE.*max_deliver 3 -> -1.*ack_wait "5s" -> "30s"/);
  expect(out).toMatch(
    /updated +stream KV_experience-learner-v1-evidence: max_age "3600s" -> "7200s"/,
  );
  expect((await provision("--dry-run", env)).out).toContain("as the settings want it");
  expect(await created({ jsm })).toBe(before);
});

test("a durable's several filters become one, and what its requests may be is raised", async () => {
  const { provision, jsm } = await openBroker();
  await provision();
  const name = "experience-learner-v1";
  await jsm.consumers.delete("EXPERIENCE", name);
  await jsm.consumers.add("EXPERIENCE", {
    durable_name: name,
    ack_policy: AckPolicy.Explicit,
    filter_subjects: ["agent.experience.v1.a", "agent.experience.v1.b"],
    ...{ max_batch: 1, max_expires: nanos(1_000), inactive_threshold: nanos(60_000) },
  });
  const told =
    /filter_subject \["agent.experience.v1.a","agent.experience.v1.b"\] -> "agent.experience.v1.>".*max_batch 1 -> 256/;
  expect((await provision("--dry-run")).out).toMatch(told);
  const { out, code } = await provision();
  expect(out).toMatch(told);
  expect(code).toBe(0);
  const { config } = await jsm.consumers.info("EXPERIENCE", name);
  expect(config).toMatchObject({ filter_subject: "agent.experience.v1.>", max_batch: 256 });
  expect(config.filter_subjects ?? config.inactive_threshold).toBeUndefined();
  expect((await provision()).out).toContain("as the settings want it");
});

test("limits of a stream that we only read, and what breaks nothing, are left to a person without a failure", async () => {
  const { provision, jsm } = await openBroker();
  await jsm.streams.add({
    ...{ name: "EXPERIENCE", subjects: ["agent.experience.v1.>"], max_msg_size: 65_536 },
  });
  await jsm.streams.add({
    ...{ name: "LESSONS", subjects: ["agent.lesson.v1"], storage: StorageType.Memory },
    duplicate_window: nanos(7_200_000),
  });
  const { out, code } = await provision();
  expect(out).toMatch(/by hand +stream EXPERIENCE: max_msg_size 65536 -> 262144; .*owner/);
  expect(out).toMatch(/by hand +stream LESSONS: storage "memory" -> "file"; JetStream cannot/);
  expect(code).toBe(0);
  expect((await jsm.streams.info("EXPERIENCE")).config.max_msg_size).toBe(65_536);
});

test("room for the evidence is made", async () => {
  const { provision, jsm } = await openBroker();
  await provision();
  const bucket = "KV_experience-learner-v1-evidence";
  await jsm.streams.update(bucket, { max_msg_size: 1_024, max_bytes: 1_024 });
  expect((await provision()).code).toBe(0);
  const { config } = await jsm.streams.info(bucket);
  expect(config).toMatchObject({ max_msg_size: 153_600, max_bytes: 153_600 });
});

test("what JetStream cannot change is left to a person, and the command ends with 1", async () => {
  const { provision, jsm } = await openBroker();
  await jsm.streams.add({
    ...{ name: "EXPERIENCE", subjects: ["agent.experience.v1.>"] },
    retention: RetentionPolicy.Workqueue,
  });
  await jsm.consumers.add("EXPERIENCE", {
    ...{ durable_name: "experience-learner-v1", filter_subject: "agent.experience.v1.>" },
    ack_policy: AckPolicy.Explicit,
  });
  const before = await created({ jsm });
  const { out, code } = await provision();
  expect(code).toBe(1);
  expect(out).toMatch(/by hand +stream EXPERIENCE: retention "workqueue" -> "limits"; JetStream/);
  expect(out).toContain("created    stream LESSONS\n");
  expect(await created({ jsm })).toBe(before);
});

test("evidence is not given a shorter life under running replicas", async () => {
  const { provision, jsm } = await openBroker();
  await provision("", { EXPERIENCE_EVENT_DEDUP_TTL_SECONDS: "7200" });
  const { out, code } = await provision();
  expect(code).toBe(1);
  expect(out).toMatch(
    /by hand +stream KV_\S+-evidence: max_age "7200s" -> "3600s"; evidence would/,
  );
  const { config } = await jsm.streams.info("KV_experience-learner-v1-evidence");
  expect(config.max_age).toBe(nanos(7_200_000));
});

test("where the broker cannot be reached, or a setting is bad, it says so", async () => {
  const away = await run("provision", { NATS_URL: "nats://127.0.0.1:1" });
  expect(away).toMatchObject({ code: 1, complaints: expect.stringContaining("ECONNREFUSED") });
  const bad = await run("provision", { JETSTREAM_REPLICAS: "9" });
  expect(bad).toMatchObject({
    code: 2,
    complaints: expect.stringContaining("JETSTREAM_REPLICAS=9"),
  });
});
