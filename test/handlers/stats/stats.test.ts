import { expect, test } from "vitest";
import { version } from "../../../src/version.ts";
import { eventually } from "../../rig/eventually.ts";
import { openStack, type Stack } from "../../rig/service.ts";
import { ask, failures, publish, success } from "../../rig/traffic.ts";

const ofFeatures = [
  ["SIGNALS", "feature-pipeline-signals"],
  ["FEEDBACK", "feature-pipeline-feedback"],
] as const;

const stats = async ({ broker: { nc } }: Stack) => (await ask(nc, "experience.stats")).body;

/** Two lessons, one dead letter, successes, a user's signal and feedback; all consumed. */
async function learnSomething(stack: Stack): Promise<void> {
  const { js, jsm } = stack.broker;
  const slow = { result: { ok: true }, llm: { latency_ms: 9_000 } };
  await publish(stack.broker, ...failures(3), ...failures(3, slow), success());
  await js.publish("agent.experience.v1.scout", "{");
  await eventually(async () => {
    const info = await jsm.consumers.info("EXPERIENCE", "experience-learner-v1");
    return info.ack_floor.stream_seq === 8;
  });
  await js.publish("signals.page.opened", '{"user_id":"ada"}');
  await js.publish("feedback.tip", '{"user_id":"ada","payload":{"rating":1}}');
  for (const [stream, durable] of ofFeatures) {
    await eventually(async () => {
      const { ack_floor, num_pending } = await jsm.consumers.info(stream, durable);
      return ack_floor.stream_seq === 1 && num_pending === 0;
    });
  }
}

test("figures of the fleet are those of JetStream, KV and PostgreSQL", async () => {
  const stack = await openStack();
  await stack.start();
  await learnSomething(stack);
  const body = await stats(stack);
  const { jsm } = stack.broker;
  for (const name of ["EXPERIENCE", "SIGNALS", "FEEDBACK", "LESSONS", "DEAD_LETTERS"]) {
    const { messages, bytes, first_ts, last_ts, last_seq } = (await jsm.streams.info(name)).state;
    expect(body.streams[name]).toEqual({ messages, bytes, first_ts, last_ts, last_seq });
  }
  const idle = { pending: 0, ack_pending: 0, redelivered: 0 };
  const { state } = await jsm.streams.info("KV_experience-learner-v1-evidence");
  expect(body).toMatchObject({
    consumers: {
      "EXPERIENCE/experience-learner-v1": { ...idle, acked_through: 8 },
      "SIGNALS/feature-pipeline-signals": { ...idle, acked_through: 1 },
      "FEEDBACK/feature-pipeline-feedback": { ...idle, acked_through: 1 },
    },
    evidence_documents: state.messages,
    lessons: { error: 1, latency: 1 },
    lessons_unpublished: 0,
    sightings: 2,
    dead_letters: 1,
    dead_letters_open: 1,
    dead_letters_replayed: 0,
    dead_letters_by_durable: { "EXPERIENCE/experience-learner-v1": 1 },
    feature_rows: 1,
  });
});

test("every replica tells the same of the fleet, and of itself only under instance", async () => {
  const stack = await openStack();
  const services = await Promise.all([stack.start(), stack.start()]);
  await learnSomething(stack);
  const answers = new Map<string, Record<string, unknown>>();
  await eventually(async () => {
    const { instance, ...fleet } = await stats(stack);
    answers.set(instance.id, fleet);
    return answers.size === 2;
  });
  expect([...answers.keys()].sort()).toEqual(services.map(({ instance }) => instance).sort());
  const [one, other] = [...answers.values()];
  expect(one).toEqual(other);
});

test("a replica that has done nothing knows the fleet's figures and has zeros of its own", async () => {
  const stack = await openStack();
  const first = await stack.start();
  await learnSomething(stack);
  await first.stop();
  const second = await stack.start();
  const body = await stats(stack);
  expect(body).toMatchObject({ lessons: { error: 1, latency: 1 }, dead_letters: 1 });
  expect(body.instance).toMatchObject({ id: second.instance, version });
  expect(body.instance.counters["lessons_published_total"]).toBe(0);
});

test("a replica's own counters are under instance", async () => {
  const stack = await openStack();
  // The reader of windows acks the same messages once more.
  await stack.start({ EXPERIENCE_CONCERNS: "extractor,features,deadletters" });
  await learnSomething(stack);
  const { counters } = (await stats(stack)).instance;
  expect(counters).toMatchObject({
    'lessons_inserted_total{lesson_type="error"}': 1,
    'experience_events_total{outcome="invalid"}': 1,
    'js_messages_acked_total{stream="EXPERIENCE"}': 7,
    'js_messages_acked_total{stream="SIGNALS"}': 1,
    'js_messages_dead_lettered_total{stream="EXPERIENCE"}': 1,
    'feature_events_total{outcome="applied"}': 2,
    lessons_published_total: 2,
  });
});

test("on an empty system all figures are zero and no time is made up", async () => {
  const stack = await openStack();
  await stack.start();
  const none = { messages: 0, bytes: 0, first_ts: null, last_ts: null, last_seq: 0 };
  const body = await stats(stack);
  expect(body).toMatchObject({
    streams: Object.fromEntries(
      ["EXPERIENCE", "SIGNALS", "FEEDBACK", "LESSONS", "DEAD_LETTERS"].map((name) => [name, none]),
    ),
    sightings: 0,
    dead_letters: 0,
    dead_letters_open: 0,
    dead_letters_replayed: 0,
    feature_rows: 0,
  });
  expect([body.lessons, body.dead_letters_by_durable, body.runs]).toEqual([{}, {}, {}]);
});
