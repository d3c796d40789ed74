import { AckPolicy, type ConsumerConfig, StorageType, type StreamConfig } from "@nats-io/jetstream";
import { nanos } from "@nats-io/transport-node";
import { expect, onTestFinished, test } from "vitest";
import { desiredState } from "../../src/handlers/derived.ts";
import { concernNames } from "../../src/handlers/index.ts";
import type { DesiredState } from "../../src/nats/desired-state.ts";
import { type Drift, judgeDrift } from "../../src/nats/drift.ts";
import { provision as provisionAs } from "../../src/nats/provision.ts";
import { type ProvisionMode, readSettings } from "../../src/settings/index.ts";
import { type Broker, startBroker } from "../rig/broker.ts";
import { wantedBy } from "../rig/desired.ts";
import { recordingLog } from "../rig/service.ts";

const durable = "experience-learner-v1";

const provision = async (
  jsm: Broker["jsm"],
  state: DesiredState,
  mode: ProvisionMode = "apply",
) => [...(await provisionAs(jsm, state, mode))];

async function openBroker(): Promise<Broker> {
  const broker = await startBroker();
  onTestFinished(() => broker.remove());
  return broker;
}

const required = { NATS_URL: "nats://x", LEARNER_DATABASE_URL: "postgres://x" };
const settingsOf = (env: Record<string, string> = {}) => readSettings({ ...required, ...env });
const wanted = (env: Record<string, string> = {}) => wantedBy(settingsOf(env));
const desired = (env: Record<string, string> = {}) => desiredState(settingsOf(env), concernNames);

/** A stream or durable as the service would make it, but for `fields`. */
const addStream = (
  { jsm }: Broker,
  name: "experience" | "lessons" | "deadLetters" | "evidence",
  fields: Partial<StreamConfig>,
) => jsm.streams.add({ ...wanted()[name], ...fields });

async function addDurable(broker: Broker, fields: Partial<ConsumerConfig>): Promise<void> {
  await addStream(broker, "experience", {});
  const { filter_subject: _, ...config } = wanted().durables.experience.config;
  await broker.jsm.consumers.add("EXPERIENCE", { ...config, ...fields });
}

const asTold = (drift: Drift[]) =>
  drift.map(({ what, field, wanted, actual, breaks }) => [what, field, actual, wanted, breaks]);

test("on an empty broker everything is made, and nothing differs then or later", async () => {
  const { jsm } = await openBroker();
  expect(await provision(jsm, desired())).toEqual([]);
  const names = await jsm.streams.names().next();
  expect(names.sort()).toEqual([
    "CHANGES",
    "DEAD_LETTERS",
    "EXPERIENCE",
    "EXPOSURES",
    "FEEDBACK",
    "KV_experience-counts-v1-attempts",
    `KV_${durable}-attempts`,
    `KV_${durable}-evidence`,
    "KV_exposure-recorder-v1-attempts",
    "KV_feature-pipeline-attempts",
    "KV_lesson-outcomes-v1-attempts",
    "KV_lesson-windows-v1-attempts",
    "KV_mission-snapshots-v1-attempts",
    "KV_review-feedback-v1-attempts",
    "KV_run-recorder-v1-attempts",
    "LESSONS",
    "RUNS",
    "SIGNALS",
  ]);
  expect((await jsm.consumers.info("EXPERIENCE", durable)).config).toMatchObject({
    ack_policy: "explicit",
    ack_wait: nanos(30_000),
    max_deliver: -1,
    filter_subject: "agent.experience.v1.>",
  });
  expect(await provision(jsm, desired())).toEqual([]);
});

test("only what is missing is made", async () => {
  const broker = await openBroker();
  await provision(broker.jsm, desired());
  const { created } = await broker.jsm.streams.info("LESSONS");
  await broker.jsm.streams.delete("DEAD_LETTERS");
  await broker.jsm.consumers.delete("EXPERIENCE", durable);
  expect(await provision(broker.jsm, desired())).toEqual([]);
  expect((await broker.jsm.streams.info("LESSONS")).created).toBe(created);
  expect((await broker.jsm.streams.info("DEAD_LETTERS")).config.subjects).toEqual(["dead.>"]);
  await broker.jsm.consumers.info("EXPERIENCE", durable);
});

test("ten replicas that make everything at once find it made", async () => {
  const { jsm } = await openBroker();
  const drifts = await Promise.all(Array.from({ length: 10 }, () => provision(jsm, desired())));
  expect(drifts.flat()).toEqual([]);
});

test("buckets bear the durable's name, so that two durables share nothing", async () => {
  const { jsm } = await openBroker();
  await provision(jsm, desired());
  await provision(jsm, desired({ EXPERIENCE_DURABLE: "second" }));
  const names = await jsm.streams.names().next();
  expect(names).toEqual(expect.arrayContaining(["KV_second-attempts", "KV_second-evidence"]));
});

for (const [subjects, fits] of [
  [["agent.experience.v1.>"], true],
  [["agent.experience.>"], true],
  [["agent.*.v1.>"], true],
  [["other", "agent.experience.>"], true],
  [["agent.experience.v1.*"], false],
  [["agent.experience.v1"], false],
  [["agent.experience.v2.>"], false],
  [["agent.experience.v1.a.>"], false],
] as const) {
  test(`a stream with ${subjects.join(" and ")} ${fits ? "holds" : "does not hold"} all events`, async () => {
    const broker = await openBroker();
    await addStream(broker, "experience", { subjects: [...subjects] });
    const drift = await provision(broker.jsm, desired());
    const told = fits
      ? []
      : [["stream EXPERIENCE", "subjects", subjects, ["agent.experience.v1.>"], false]];
    expect(asTold(drift)).toEqual(told);
  });
}

test("what a mirror or a transforming stream holds, its subjects do not say", async () => {
  const broker = await openBroker();
  await broker.jsm.streams.add({ name: "ORIGIN", subjects: ["signals.>"] });
  await broker.jsm.streams.add({ name: "SIGNALS", mirror: { name: "ORIGIN" } });
  await addStream(broker, "experience", {
    subjects: ["agents.*"],
    subject_transform: { src: "agents.*", dest: "agent.experience.v1.{{wildcard(1)}}" },
  });
  expect(await provision(broker.jsm, desired())).toEqual([]);
});

test("a stream or bucket that takes nothing any more breaks a guarantee", async () => {
  const broker = await openBroker();
  await provision(broker.jsm, desired());
  for (const name of ["EXPERIENCE", "LESSONS", `KV_${durable}-attempts`]) {
    const { config } = await broker.jsm.streams.info(name);
    const sealed = { ...config, sealed: true };
    await broker.jsm.streams.update(name, sealed);
  }
  const drift = await provision(broker.jsm, desired());
  expect(asTold(drift.filter(({ field }) => field === "sealed"))).toEqual([
    ["stream EXPERIENCE", "sealed", true, undefined, false],
    ["stream LESSONS", "sealed", true, undefined, true],
    [`stream KV_${durable}-attempts`, "sealed", true, undefined, true],
  ]);
});

test("what is kept in memory only is told", async () => {
  const broker = await openBroker();
  for (const name of ["deadLetters", "evidence"] as const) {
    await addStream(broker, name, { storage: StorageType.Memory });
  }
  expect(asTold(await provision(broker.jsm, desired()))).toEqual([
    ["stream DEAD_LETTERS", "storage", "memory", "file", false],
    [`stream KV_${durable}-evidence`, "storage", "memory", "file", false],
  ]);
});

for (const [what, name, fields, told] of [
  [
    "for an event of the largest size",
    "experience",
    { max_msg_size: 65_536 },
    ["max_msg_size", 65_536, 262_144, false],
  ],
  [
    "for the events of a window",
    "experience",
    { max_age: nanos(600_000), duplicate_window: nanos(1_000) },
    ["max_age", "600s", "1800s", false],
  ],
  [
    "for all evidence of a signature",
    "evidence",
    { max_msg_size: 65_536 },
    ["max_msg_size", 65_536, 153_600, false],
  ],
  [
    "for the evidence of one lesson",
    "evidence",
    { max_msg_size: 1_024 },
    ["max_msg_size", 1_024, 153_600, true],
  ],
  ["for any evidence", "evidence", { max_bytes: 1_024 }, ["max_bytes", 1_024, 153_600, true]],
] as const) {
  test(`a limit that leaves no room ${what} is told`, async () => {
    const broker = await openBroker();
    await addStream(broker, name, fields);
    const [field, ...values] = told;
    expect(asTold(await provision(broker.jsm, desired()))).toEqual([
      [`stream ${wanted()[name].name}`, field, ...values],
    ]);
  });
}

test("limits that leave room are the operator's own", async () => {
  const broker = await openBroker();
  await addStream(broker, "experience", {
    ...{ max_msg_size: 300_000, max_age: nanos(3_600_000), max_msgs: 10, max_bytes: 1_000_000 },
  });
  await addStream(broker, "evidence", { max_msg_size: 1_048_576, max_bytes: 10_000_000 });
  expect(await provision(broker.jsm, desired())).toEqual([]);
});

for (const [retention, breaks] of [
  ["workqueue", true],
  ["interest", false],
] as const) {
  test(`an EXPERIENCE stream of ${retention} retention ${breaks ? "breaks a guarantee" : "is a warning"}`, async () => {
    const broker = await openBroker();
    await addStream(broker, "experience", { retention });
    const drift = await provision(broker.jsm, desired());
    expect(asTold(drift)).toEqual([
      ["stream EXPERIENCE", "retention", retention, "limits", breaks],
    ]);
  });
}

for (const [what, fields, told] of [
  [
    "another time to live of the evidence",
    { max_age: nanos(60_000) },
    ["max_age", "60s", "3600s", true],
  ],
  ["evidence without a time to live", { max_age: 0 }, ["max_age", "0s", "3600s", true]],
] as const) {
  test(`${what} breaks a guarantee`, async () => {
    const broker = await openBroker();
    await addStream(broker, "evidence", { ...fields, duplicate_window: nanos(1_000) });
    const drift = await provision(broker.jsm, desired());
    expect(asTold(drift)).toEqual([[`stream KV_${durable}-evidence`, ...told]]);
  });
}

for (const [what, fields, told] of [
  [
    "that acks nothing",
    { ack_policy: AckPolicy.None, max_ack_pending: 0 },
    ["ack_policy", "none", "explicit", true],
  ],
  ["that gives up", { max_deliver: 3 }, ["max_deliver", 3, -1, true]],
  [
    "with a narrower filter",
    { filter_subject: "agent.experience.v1.a" },
    ["filter_subject", "agent.experience.v1.a", "agent.experience.v1.>", true],
  ],
  ["that leaves payloads out", { headers_only: true }, ["headers_only", true, undefined, true]],
  ["with another ack_wait", { ack_wait: nanos(5_000) }, ["ack_wait", "5s", "30s", false]],
  ["that may hold less", { max_ack_pending: 10 }, ["max_ack_pending", 10, 200_000, false]],
  ["that refuses our requests for their size", { max_batch: 1 }, ["max_batch", 1, 256, true]],
  [
    "that refuses our requests for their length",
    { max_expires: nanos(1_000) },
    ["max_expires", "1s", "2s", true],
  ],
  [
    "that goes when nobody reads",
    { inactive_threshold: nanos(60_000) },
    ["inactive_threshold", "60s", undefined, false],
  ],
  ["that forgets where it was", { mem_storage: true }, ["mem_storage", true, undefined, false]],
] as const) {
  test(`an existing durable ${what} is told with both values`, async () => {
    const broker = await openBroker();
    await addDurable(broker, { filter_subject: "agent.experience.v1.>", ...fields });
    const drift = await provision(broker.jsm, desired());
    expect(asTold(drift)).toContainEqual([`consumer EXPERIENCE/${durable}`, ...told]);
  });
}

test("an existing durable with several filters that are too narrow is told with all of them", async () => {
  const broker = await openBroker();
  const filter_subjects = ["agent.experience.v1.a", "agent.experience.v1.b"];
  await addDurable(broker, { filter_subjects });
  expect(asTold(await provision(broker.jsm, desired()))).toEqual([
    [
      `consumer EXPERIENCE/${durable}`,
      "filter_subject",
      filter_subjects,
      "agent.experience.v1.>",
      true,
    ],
  ]);
});

test("a durable may take larger and longer requests than ours", async () => {
  const broker = await openBroker();
  await addDurable(broker, {
    filter_subject: "agent.experience.v1.>",
    ...{ max_batch: 1_000, max_expires: nanos(30_000) },
  });
  expect(await provision(broker.jsm, desired())).toEqual([]);
});

const wideEnough: [what: string, fields: Partial<ConsumerConfig>][] = [
  ["without a filter", {}],
  ["with a wider filter", { filter_subject: "agent.experience.>" }],
  ["with several filters", { filter_subjects: ["agent.experience.v1.>", "agent.experience.v2.>"] }],
];
for (const [what, fields] of wideEnough) {
  test(`an existing durable ${what} brings our events, too`, async () => {
    const broker = await openBroker();
    await addStream(broker, "experience", { subjects: ["agent.experience.>"] });
    const { filter_subject: _, ...config } = wanted().durables.experience.config;
    await broker.jsm.consumers.add("EXPERIENCE", { ...config, ...fields });
    expect(await provision(broker.jsm, desired())).toEqual([]);
  });
}

test("what leaves more room than is needed is no drift", async () => {
  const broker = await openBroker();
  await addStream(broker, "lessons", { duplicate_window: nanos(4 * 3_600_000) });
  const room = { max_ack_pending: 500_000, max_batch: 1_000, max_expires: nanos(60_000) };
  await addDurable(broker, { filter_subject: "agent.experience.v1.>", ...room });
  expect(await provision(broker.jsm, desired())).toEqual([]);
});

test("a durable that the service can do without does not keep it from starting by its limits", async () => {
  const { jsm } = await openBroker();
  const { config, stream } = wanted().durables.feedback;
  await jsm.streams.add(stream);
  await jsm.consumers.add(stream.name, { ...config, max_batch: 1 });
  const needed = desiredState(settingsOf(), ["features"]);
  expect(asTold([...(await provisionAs(jsm, needed, "apply"))])).toEqual([
    ["consumer FEEDBACK/feature-pipeline-feedback", "max_batch", 1, 256, false],
  ]);
});

test("a push consumer under the durable's name is told", async () => {
  const broker = await openBroker();
  await addDurable(broker, {
    filter_subject: "agent.experience.v1.>",
    deliver_subject: "push.here",
  });
  const drift = await provision(broker.jsm, desired());
  expect(asTold(drift)).toContainEqual([
    `consumer EXPERIENCE/${durable}`,
    "deliver_subject",
    "push.here",
    undefined,
    true,
  ]);
});

test("a stream in the way of one of ours is named, with both lists of subjects", async () => {
  const broker = await openBroker();
  await addStream(broker, "experience", { subjects: ["agent.>"] });
  await expect(provision(broker.jsm, desired())).rejects.toMatchObject({
    code: "unavailable",
    message:
      'stream LESSONS cannot have subjects ["agent.lesson.v1","agent.lesson.verdict.v1"]: stream EXPERIENCE has ["agent.>"]',
  });
});

test("nothing that exists is changed by looking at it", async () => {
  const broker = await openBroker();
  await addStream(broker, "lessons", { duplicate_window: nanos(1_000) });
  await addStream(broker, "experience", { subjects: ["agent.experience.>"], max_msgs: 7 });
  const configs = async () =>
    Promise.all(
      ["LESSONS", "EXPERIENCE"].map(async (name) => (await broker.jsm.streams.info(name)).config),
    );
  const before = await configs();
  await provision(broker.jsm, desired());
  expect(await configs()).toEqual(before);
});

test("what breaks is refused in one message, what does not is a warning each", () => {
  const { log, lines } = recordingLog();
  const drift = (field: string, breaks: boolean): Drift => ({
    what: "stream S",
    field,
    wanted: "1s",
    actual: undefined,
    breaks,
  });
  const all = [drift("a", true), drift("b", false), drift("c", true)];
  expect(() => judgeDrift(all, log)).toThrow(
    'what exists in JetStream clashes with the settings:\n  stream S: a is null, the settings want "1s"\n  stream S: c is null, the settings want "1s"',
  );
  expect(lines.map(({ msg }) => msg)).toEqual([
    'stream S: b is null, the settings want "1s"; left as it is',
  ]);
});

test("with verify nothing is made, and everything that is missing is named", async () => {
  const { jsm } = await openBroker();
  await expect(provision(jsm, desired(), "verify")).rejects.toMatchObject({
    code: "unavailable",
    message: expect.stringMatching(
      /stream EXPERIENCE.*consumer EXPERIENCE\/experience-learner-v1.*EXPERIENCE_PROVISION=verify/,
    ),
  });
  expect(await jsm.streams.names().next()).toEqual([]);
  await provision(jsm, desired());
  expect(await provision(jsm, desired(), "verify")).toEqual([]);
});

test("with verify a durable that is missing is not made", async () => {
  const { jsm } = await openBroker();
  await provision(jsm, desired());
  await jsm.consumers.delete("EXPERIENCE", durable);
  await expect(provision(jsm, desired(), "verify")).rejects.toMatchObject({
    message: expect.stringMatching(/^consumer EXPERIENCE\/experience-learner-v1 is missing/),
  });
  await expect(jsm.consumers.info("EXPERIENCE", durable)).rejects.toThrow("consumer not found");
});

test("with verify only what the hosted concerns need is asked for", async () => {
  const { jsm } = await openBroker();
  const needed = desiredState(settingsOf(), ["deadletters"]);
  await provisionAs(jsm, needed, "apply");
  expect(await jsm.streams.names().next()).toEqual(["DEAD_LETTERS"]);
  expect(await provisionAs(jsm, needed, "verify")).toEqual([]);
});

test("a durable that nobody monitors is told; thresholds of an operator's own are not", async () => {
  const broker = await openBroker();
  await addDurable(broker, { filter_subject: "agent.experience.v1.>", metadata: {} });
  const drift = await provision(broker.jsm, desired());
  expect(drift.map(({ field, breaks }) => [field, breaks])).toEqual([["metadata", false]]);
  await broker.jsm.consumers.update("EXPERIENCE", durable, {
    metadata: { "io.nats.monitor.unprocessed-critical": "7" },
  });
  expect(await provision(broker.jsm, desired())).toEqual([]);
});
