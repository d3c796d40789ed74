import { AckPolicy } from "@nats-io/jetstream";
import { expect, test } from "vitest";
import { eventually } from "../rig/eventually.ts";
import { figures, openStack, type Stack, type TestService } from "../rig/service.ts";
import { ask } from "../rig/traffic.ts";

const rowOf = ({ database: { sql } }: Stack, user: string) =>
  sql`SELECT * FROM user_features WHERE user_id = ${user}`.then(([row]) => row);

const signal = (
  { broker: { js } }: Stack,
  event: object,
  { subject = "signals.task.synced", msgID }: { subject?: string; msgID?: string } = {},
) => js.publish(subject, JSON.stringify(event), msgID === undefined ? {} : { msgID });

const versionOf = async (stack: Stack, user: string) =>
  Number((await rowOf(stack, user))?.["version"] ?? 0);

test("a signal moves its user's row up by one version, and the log names the user", async () => {
  const stack = await openStack();
  const service = await stack.start();
  const payload = { source: "todoist", tasks: ["a", "b"] };
  const ts = "2026-11-01T08:00:00.000Z";
  await signal(stack, { event_id: "e-1", user_id: "ada", ts, payload });
  await eventually(async () => (await versionOf(stack, "ada")) === 1);
  expect(await rowOf(stack, "ada")).toMatchObject({
    tenant_id: "default",
    features: {
      task_sync: {
        count: 1,
        tasks_seen: 2,
        last: { at: ts, event_id: "e-1", source: "todoist" },
      },
    },
    last_event_at: new Date(ts),
  });
  await eventually(async () => service.hasLogged("features updated"));
  const line = service.log.find(({ msg }) => msg === "features updated");
  expect(line).toMatchObject({ users: ["ada"], types: ["signals.task.synced"], events: 1 });

  await signal(stack, { event_id: "e-2", userId: "ada", occurredAt: ts, payload });
  await eventually(async () => (await versionOf(stack, "ada")) === 2);
});

test("an event that comes again under another message id is not applied again", async () => {
  const stack = await openStack();
  const service = await stack.start();
  await signal(stack, { event_id: "e-1", user_id: "ada" }, { msgID: "m-1" });
  await signal(stack, { event_id: "e-1", user_id: "ada" }, { msgID: "m-2" });
  await signal(stack, { event_id: "e-2", user_id: "bob" });
  await eventually(async () => (await versionOf(stack, "bob")) === 1);
  expect(await versionOf(stack, "ada")).toBe(1);
  expect(await figures(service)).toMatchObject({
    'feature_events_total{outcome="applied"}': 2,
    'feature_events_total{outcome="duplicate"}': 1,
  });
});

test("features are asked for by user, and by many users at once", async () => {
  const stack = await openStack();
  await stack.start();
  const { nc } = stack.broker;
  await signal(stack, { user_id: "ada", payload: { rating: 5 } }, { subject: "feedback.tip" });
  await signal(stack, { user_id: "bob" }, { subject: "signals.page.opened" });
  await eventually(async () => (await versionOf(stack, "bob")) === 1);
  await eventually(async () => (await versionOf(stack, "ada")) === 1);
  const one = await ask(nc, "experience.features.get", { user_id: "ada" });
  expect(one.body).toMatchObject({
    user_id: "ada",
    version: 1,
    features: { feedback: { positive: 1, negative: 0, dismissed: 0, rate: 1 } },
  });
  const none = await ask(nc, "experience.features.get", { user_id: "ada", tenant_id: "other" });
  expect(none).toMatchObject({ errorCode: "404", body: { code: "not_found" } });
  const many = await ask(nc, "experience.features.batch", { user_ids: ["bob", "eve", "ada"] });
  expect(many.body.missing).toEqual(["eve"]);
  expect(many.body.rows.map((row: { user_id: string }) => row.user_id).sort()).toEqual([
    "ada",
    "bob",
  ]);
});

test("proofs older than FEATURE_DEDUP_DAYS are removed, younger ones stay", async () => {
  const stack = await openStack();
  const { sql } = stack.database;
  await sql`INSERT INTO feature_events (tenant_id, event_id, applied_at)
    SELECT 't', 'old-' || n, now() - interval '8 days' FROM generate_series(1, 12000) AS n`;
  await sql`INSERT INTO feature_events (tenant_id, event_id, applied_at)
    VALUES ('t', 'young', now() - interval '6 days')`;
  await stack.start({ FEATURE_DEDUP_DAYS: "7" });
  const left = () => sql`SELECT event_id FROM feature_events`;
  await eventually(async () => (await left()).length === 1);
  expect(await left()).toEqual([{ event_id: "young" }]);
});

/** The intake has tried by then, and says so. */
const untilDegraded = (service: TestService, sentences: readonly RegExp[]) =>
  eventually(async () => {
    const { status, problems } = await service.health();
    return status === "degraded" && sentences.every((one) => one.test(problems.join()));
  }, 10_000);

test("while SIGNALS is missing, health says so, and consuming starts when it appears", async () => {
  const stack = await openStack();
  const { jsm, js } = stack.broker;
  const first = await stack.start();
  await first.stop();
  for (const stream of ["SIGNALS", "FEEDBACK"]) await jsm.streams.delete(stream);

  const service = await stack.start({ EXPERIENCE_PROVISION: "verify" });
  await untilDegraded(service, [
    /SIGNALS\/feature-pipeline-signals: stream SIGNALS is missing/,
    /stream FEEDBACK is missing/,
  ]);

  await jsm.streams.add({ name: "SIGNALS", subjects: ["signals.>"] });
  await jsm.consumers.add("SIGNALS", {
    ...{ durable_name: "feature-pipeline-signals", filter_subject: "signals.>" },
    ack_policy: AckPolicy.Explicit,
  });
  await js.publish("signals.task.synced", JSON.stringify({ user_id: "ada" }));
  await eventually(async () => (await versionOf(stack, "ada")) === 1);
  await eventually(async () => !(await service.health()).problems.join().includes("SIGNALS"));
});

test("with EXPERIENCE_PROVISION=apply a stream that vanishes is made anew", async () => {
  const stack = await openStack();
  await stack.start();
  const { jsm, js } = stack.broker;
  await jsm.streams.delete("SIGNALS");
  const exists = () =>
    jsm.streams.info("SIGNALS").then(
      () => true,
      () => false,
    );
  await eventually(exists);
  await js.publish("signals.task.synced", JSON.stringify({ user_id: "ada" }));
  await eventually(async () => (await versionOf(stack, "ada")) === 1);
});

test("another stream in the way of SIGNALS keeps nothing else from working", async () => {
  const stack = await openStack();
  const { jsm, js } = stack.broker;
  await jsm.streams.add({ name: "ELSEWHERE", subjects: ["signals.>"] });
  const service = await stack.start();
  await js.publish("feedback.tip", JSON.stringify({ user_id: "ada" }));
  await eventually(async () => (await versionOf(stack, "ada")) === 1);
  await untilDegraded(service, [/stream ELSEWHERE has/]);
});

test("health tells when the last message was, also after the broker was started again", async () => {
  const stack = await openStack();
  const service = await stack.start();
  await signal(stack, { user_id: "ada" });
  await eventually(async () => (await versionOf(stack, "ada")) === 1);
  const lastAt = async () =>
    (await service.health()).checks.consumers["SIGNALS/feature-pipeline-signals"]?.last_msg_at;
  expect(Date.parse((await lastAt()) ?? "")).toBeGreaterThan(Date.now() - 60_000);
  await stack.broker.kill();
  await stack.broker.restart();
  await eventually(async () => (await service.health()).status === "ok", 10_000);
  expect(Date.parse((await lastAt()) ?? "")).toBeGreaterThan(Date.now() - 60_000);
});
