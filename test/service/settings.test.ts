import { createServer } from "node:net";
import { nanos } from "@nats-io/transport-node";
import { expect, onTestFinished, test } from "vitest";
import { eventually } from "../rig/eventually.ts";
import { type Replica, startReplicaOfTest as start } from "../rig/replica.ts";
import { complaintsOf, openStack, type Stack } from "../rig/service.ts";

const evidence = "KV_experience-learner-v1-evidence";

/** Everything that the process has said. */
const said = ({ log, complaints }: Replica) =>
  [...log.map((l) => JSON.stringify(l)), ...complaints].join("\n");

async function configOf({ broker: { nc } }: Stack, stream: string): Promise<string> {
  const reply = await nc.request(`$JS.API.STREAM.INFO.${stream}`);
  return JSON.stringify(reply.json<{ config: unknown }>().config);
}

test("all problems in the settings are told at once, with exit code 2", async () => {
  const replica = start({
    LEARNER_DATABASE_URL: "mysql://root:hunter2@db/x",
    EXPERIENCE_ERROR_THRESHOLD: "0",
    EXPERIENCE_WINDOW_SECONDS: "soon",
    EXPERIENCE_EVENT_DEDUP_TTL_SECONDS: "60",
    NATS_PASSWORD: "hunter3",
    LOG_LEVEL: "loud",
  });
  expect(await replica.exited).toEqual({ code: 2, signal: null });
  for (const name of [
    "NATS_URL",
    "LEARNER_DATABASE_URL",
    "EXPERIENCE_ERROR_THRESHOLD=0",
    "EXPERIENCE_WINDOW_SECONDS=soon",
    "EXPERIENCE_EVENT_DEDUP_TTL_SECONDS=60",
    "NATS_PASSWORD needs NATS_USER",
    "LOG_LEVEL=loud",
  ]) {
    expect(said(replica)).toContain(name);
  }
  expect(said(replica)).toContain("7 problems");
  expect(said(replica)).not.toMatch(/hunter/);
});

test("in production both addresses are required", async () => {
  const replica = start({});
  expect((await replica.exited).code).toBe(2);
  expect(said(replica)).toMatch(/NATS_URL is required[\s\S]*LEARNER_DATABASE_URL is required/);
});

test("files that cannot be read are problems of the settings", async () => {
  const stack = await openStack();
  const replica = start(
    stack.env({ NATS_CREDS: "/nowhere/agent.creds", NATS_CA: "/nowhere/ca.pem" }),
  );
  expect((await replica.exited).code).toBe(2);
  expect(said(replica)).toContain("NATS_CREDS");
  expect(said(replica)).toContain("NATS_CA");
});

test("addresses that nobody can connect to are problems of the settings", async () => {
  const replica = start({
    NATS_URL: "nats://127.0.0.1:notaport",
    LEARNER_DATABASE_URL: "postgres://user:hunter2@127.0.0.1:notaport/x",
  });
  expect((await replica.exited).code).toBe(2);
  expect(said(replica)).toContain("NATS_URL");
  expect(said(replica)).toContain("LEARNER_DATABASE_URL");
  expect(said(replica)).not.toContain("hunter2");
});

test("an evidence bucket with another time to live is refused, naming both values", async () => {
  const stack = await openStack();
  await stack.broker.jsm.streams.add({
    name: evidence,
    subjects: ["$KV.experience-learner-v1-evidence.>"],
    max_age: nanos(600_000),
    max_msgs_per_subject: 1,
  });
  const replica = start(stack.env());
  expect(await replica.exited).toEqual({ code: 2, signal: null });
  expect(said(replica)).toMatch(/max_age is \\*"600s\\*", the settings want \\*"3600s\\*"/);
});

test("a durable that gives up by itself is refused", async () => {
  const stack = await openStack();
  const { jsm } = stack.broker;
  await jsm.streams.add({ name: "EXPERIENCE", subjects: ["agent.experience.v1.>"] });
  const name = "experience-learner-v1";
  await jsm.consumers.add("EXPERIENCE", {
    durable_name: name,
    ack_policy: "explicit",
    max_deliver: 5,
    filter_subject: "agent.experience.v1.>",
  });
  const replica = start(stack.env());
  expect((await replica.exited).code).toBe(2);
  expect(said(replica)).toContain(
    `consumer EXPERIENCE/${name}: max_deliver is 5, the settings want -1`,
  );
});

test("a LESSONS stream that would not hold our lessons is refused", async () => {
  const stack = await openStack();
  await stack.broker.jsm.streams.add({ name: "LESSONS", subjects: ["school.>"] });
  await expect(stack.start()).rejects.toThrow(
    /stream LESSONS: subjects is \["school\.>"\], the settings want \["agent\.lesson\.v1","agent\.lesson\.verdict\.v1"\]/,
  );
});

test("a LESSONS stream of an earlier version is warned about: it holds lessons, and no verdicts yet", async () => {
  const stack = await openStack();
  await stack.broker.jsm.streams.add({ name: "LESSONS", subjects: ["agent.lesson.v1"] });
  const service = await stack.start();
  expect(service.hasLogged(/want \["agent\.lesson\.verdict\.v1"\]; left as it is/)).toBe(true);
});

test("what differs without harm is warned about, with both values, and left as it is", async () => {
  const stack = await openStack();
  const { jsm } = stack.broker;
  await jsm.streams.add({
    name: "LESSONS",
    subjects: ["agent.lesson.>"],
    duplicate_window: nanos(60_000),
  });
  const before = await configOf(stack, "LESSONS");
  const service = await stack.start();
  expect(complaintsOf(service)).toMatchObject([
    {
      msg: 'stream LESSONS: duplicate_window is "60s", the settings want "7200s"; left as it is',
    },
  ]);
  expect(await configOf(stack, "LESSONS")).toBe(before);
});

test("an existing durable with another ack_wait is warned about and used", async () => {
  const stack = await openStack();
  const first = await stack.start();
  await first.stop();
  const service = await stack.start({ EXPERIENCE_ACK_WAIT_SECONDS: "60" });
  const sentence = /ack_wait is "30s", the settings want "60s"; left as it is/;
  expect(service.hasLogged(sentence)).toBe(true);
  await eventually(async () => (await service.health()).status === "ok", 10_000);
});

test("somebody else's EXPERIENCE stream is used and left byte for byte as it was", async () => {
  const stack = await openStack();
  await stack.broker.jsm.streams.add({
    name: "EXPERIENCE",
    subjects: ["agent.experience.*.>", "agent.other"],
    description: "theirs",
    max_age: nanos(3_600_000 * 24 * 365),
    max_msgs: 1_000_000,
    metadata: { owner: "platform" },
    duplicate_window: nanos(1_000),
  });
  const before = await configOf(stack, "EXPERIENCE");
  const service = await stack.start();
  expect(complaintsOf(service)).toEqual([]);
  await service.stop();
  expect(await configOf(stack, "EXPERIENCE")).toBe(before);
});

test("an HTTP port that is taken is named in one sentence, with exit code 1", async () => {
  const stack = await openStack();
  const server = createServer().listen(0);
  onTestFinished(() => {
    server.close();
  });
  const address = server.address();
  const port = typeof address === "object" ? String(address?.port) : "";
  const replica = start(stack.env({ HTTP_PORT: port }));
  expect(await replica.exited).toEqual({ code: 1, signal: null });
  const errors = replica.log.filter(({ level }) => Number(level) >= 50);
  expect(errors).toMatchObject([
    { level: 50, msg: expect.stringMatching(`HTTP_PORT=${port}: another process has it`) },
  ]);
  expect(said(replica)).not.toMatch(/stack|\n +at /);
});

test("a second service with the same settings does not complain about the first one's work", async () => {
  const stack = await openStack();
  const services = [await stack.start(), await stack.start()];
  expect(services.flatMap(complaintsOf)).toEqual([]);
});
