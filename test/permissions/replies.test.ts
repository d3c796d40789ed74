import { jetstream, jetstreamManager, type StreamState } from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/transport-node";
import { describe, expect, test } from "vitest";
import { desiredState } from "../../src/handlers/derived.ts";
import { concernNames } from "../../src/handlers/index.ts";
import { provision } from "../../src/nats/provision.ts";
import { readSettings } from "../../src/settings/index.ts";
import { lessonReader, makeLessonReader } from "./lesson-reader.ts";
import { type SecuredBroker, startSecuredBroker } from "./secured.ts";
import { serversToTest } from "./servers.ts";

/** Where an answer would do harm: JetStream's own subjects, the service's, and those of streams. */
const hostile = [
  "$JS.API.STREAM.PURGE.SIGNALS",
  "$JS.API.STREAM.PURGE.LESSONS",
  "$JS.API.STREAM.PURGE.RUNS",
  "$JS.API.STREAM.DELETE.DEAD_LETTERS",
  "$JS.API.CONSUMER.DELETE.LESSONS.lesson-reader",
  "experience.deadletters.purge",
  "experience.deadletters.replay",
  "experience.extractor",
  "agent.lesson.v1",
  "agent.experience.v1.forged",
  "agent.run.v1.forged",
  "signals.forged",
  "feedback.forged",
  "dead.EXPERIENCE.experience-learner-v1",
  "$KV.experience-learner-v1-evidence.forged",
];

const appended = "experience.runs.append";
const heartbeat = "experience.runs.heartbeat";
const next = "$JS.BUS.API.CONSUMER.MSG.NEXT.LESSONS.lesson-reader";
const info = "$JS.BUS.API.CONSUMER.INFO.LESSONS.lesson-reader";

type State = Pick<StreamState, "messages" | "last_seq">;

/** Everything provisioned, and messages in every stream; endpoints of runs answer. */
async function openBus(binary: string, change?: (config: string) => string) {
  const broker = await startSecuredBroker(binary, change);
  const settings = readSettings({
    ...broker.env("service"),
    LEARNER_DATABASE_URL: "postgres://127.0.0.1/experience_bus",
  });
  const admin = await broker.connect("admin");
  const jsm = await jetstreamManager(admin);
  await provision(jsm, desiredState(settings, concernNames), "apply");
  await makeLessonReader(admin);
  const js = jetstream(admin);
  for (const subject of hostile.filter((one) =>
    /^(agent|signals|feedback|dead|\$KV)\./.test(one),
  )) {
    for (let i = 0; i < 3; i++) await js.publish(subject, "{}");
  }
  for (let i = 0; i < 3 * hostile.length; i++) await js.publish("agent.lesson.v1", "{}");
  const service = await broker.connect("service");
  for (const subject of [appended, heartbeat]) {
    service.subscribe(subject, {
      queue: "experience-bus",
      callback: (_, message) => {
        message.respond("{}");
      },
    });
  }
  await service.flush();
  const reached = new Set<string>();
  for (const subject of hostile) {
    admin.subscribe(subject, { callback: () => void reached.add(subject) });
  }
  await admin.flush();
  async function states() {
    const of: Record<string, State> = {};
    for await (const { config, state } of jsm.streams.list()) {
      of[config.name] = { messages: state.messages, last_seq: state.last_seq };
    }
    return of;
  }
  return {
    broker,
    states,
    /** With the hostile subjects that something was sent to in the account of the bus. */
    async outcome() {
      await admin.flush();
      return { reached: [...reached], states: await states() };
    },
  };
}

/** Asks that subject with each hostile reply subject; nothing can be waited for. */
function askBadly(nc: NatsConnection, subject: string, payload = "{}"): void {
  for (const reply of hostile) nc.publish(subject, payload, { reply });
}

async function publishBadly(broker: SecuredBroker, user: "agent" | "producer", subjects: string[]) {
  const nc = await broker.connect(user);
  for (const subject of subjects) askBadly(nc, subject);
  for (const subject of subjects) {
    const answer = (await nc.request(subject, "{}")).json();
    const isStored = subject !== appended && subject !== heartbeat;
    expect(answer).toEqual(isStored ? expect.objectContaining({ seq: expect.any(Number) }) : {});
  }
}

/** After so many publications by those who may. */
const more = ({ messages = 0, last_seq = 0 }: Partial<State> = {}, count: number) => ({
  ...{ messages: messages + count, last_seq: last_seq + count },
});

describe.each(await serversToTest())("on %s", (_, binary) => {
  const onServer = binary === null ? test.skip : test;

  onServer("an agent's reply subject means nothing on the bus", async () => {
    const { broker, states, outcome } = await openBus(String(binary));
    const before = await states();
    await publishBadly(broker, "agent", ["agent.experience.v1.a"]);
    const { EXPERIENCE, ...others } = before;
    expect(await outcome()).toEqual({
      reached: [],
      states: { ...others, EXPERIENCE: more(EXPERIENCE, hostile.length + 1) },
    });
  });

  onServer("a producer's reply subject means nothing on the bus", async () => {
    const { broker, states, outcome } = await openBus(String(binary));
    const before = await states();
    const subjects = ["signals.a", "feedback.a", "agent.run.v1.a", appended, heartbeat];
    await publishBadly(broker, "producer", subjects);
    const { SIGNALS, FEEDBACK, RUNS, ...others } = before;
    const stored = hostile.length + 1;
    expect(await outcome()).toEqual({
      reached: [],
      states: {
        ...others,
        SIGNALS: more(SIGNALS, stored),
        FEEDBACK: more(FEEDBACK, stored),
        RUNS: more(RUNS, stored),
      },
    });
  });

  onServer("a reader's reply subject means nothing on the bus", async () => {
    const { broker, states, outcome } = await openBus(String(binary));
    const before = await states();
    const nc = await broker.connect("reader");
    const consumer = await lessonReader(nc);
    const first = await consumer.next({ expires: 5_000 });
    if (first === null) throw new Error("no lesson");
    const { reply = "" } = (first as unknown as { msg: { reply?: string } }).msg;
    askBadly(nc, next, "");
    askBadly(nc, info, "");
    askBadly(nc, reply, "+NXT");
    expect(await first.ackAck()).toBe(true);
    const second = await consumer.next({ expires: 5_000 });
    expect(second?.subject).toBe("agent.lesson.v1");
    expect((await nc.request(info)).json()).toMatchObject({ name: "lesson-reader" });
    expect(await outcome()).toEqual({ reached: [], states: before });
  });

  onServer("an agent with an account of its own cannot answer in another's inbox", async () => {
    const own = `AGENT_SCOUT {
      imports: [{ service: { account: BUS, subject: "agent.experience.v1.scout" } }]
      users: [{ user: scout, password: "secret-of-scout" }]
    }`;
    const { broker, outcome, states } = await openBus(String(binary), (config) =>
      config
        .replace("accounts: [AGENTS]", "accounts: [AGENTS, AGENT_SCOUT]")
        .replace("\n  AGENTS {", `\n  ${own}\n  AGENTS {`),
    );
    const before = await states();
    const other = await broker.connect("agent");
    const heard: string[] = [];
    other.subscribe("_INBOX_agent.>", { callback: (_, { subject }) => void heard.push(subject) });
    await other.flush();
    const scout = await broker.connect("scout");
    scout.publish("agent.experience.v1.scout", "{}", { reply: "_INBOX_agent.forged" });
    scout.publish("agent.experience.v1.other", "{}");
    await jetstream(scout).publish("agent.experience.v1.scout", "{}");
    await other.flush();
    expect(heard).toEqual([]);
    const { EXPERIENCE, ...others } = before;
    expect((await outcome()).states).toEqual({ ...others, EXPERIENCE: more(EXPERIENCE, 2) });
  });
});
