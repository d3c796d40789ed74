import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { describe, expect, onTestFinished, test } from "vitest";
import { desiredState } from "../../src/handlers/derived.ts";
import { provision } from "../../src/nats/provision.ts";
import { type RunningService, startService } from "../../src/service.ts";
import { readSettings } from "../../src/settings/index.ts";
import { freshDatabase } from "../rig/database.ts";
import { eventually } from "../rig/eventually.ts";
import { freePort } from "../rig/ports.ts";
import { get, recordingLog } from "../rig/service.ts";
import { failures } from "../rig/traffic.ts";
import { startSecuredBroker, without } from "./secured.ts";
import { serversToTest } from "./servers.ts";

const reading = "$JS.API.CONSUMER.MSG.NEXT.EXPERIENCE.*";
const lessons = "agent.lesson.v1";
const inbox = "_INBOX_service.>";
const userInfo = "$SYS.REQ.USER.INFO";
const unchanged = (config: string) => config;
/** A permission that is revoked shows within 10 s, and one that is restored. */
const limitMs = 10_000;

/** Streams and tables are there; the service is started, and not waited for. */
async function openStack(binary: string, change = unchanged) {
  const [broker, database] = await Promise.all([
    startSecuredBroker(binary, change),
    freshDatabase(),
  ]);
  const settings = readSettings({
    ...broker.env("service"),
    LEARNER_DATABASE_URL: database.url,
    EXPERIENCE_PROVISION: "verify",
    HTTP_PORT: String(await freePort()),
  });
  const nc = await broker.connect("admin");
  const needed = desiredState(settings);
  await provision(await jetstreamManager(nc), needed, "apply");
  const { log, lines } = recordingLog();
  const fatal: unknown[] = [];
  const stop = new AbortController();
  const started = startService({
    ...{ settings, log, signal: stop.signal },
    onFatal: (error) => fatal.push(error),
  });
  started.catch((error: unknown) => fatal.push(error));
  onTestFinished(async () => {
    stop.abort();
    await started.then((service: RunningService) => service.stop()).catch(() => undefined);
    await database.drop();
  });
  const readiness = () =>
    get(settings.httpPort, "/readyz").catch(() => ({ status: 0, text: "no answer" }));
  const becomes = (status: number, says: string | RegExp) =>
    eventually(async () => {
      const now = await readiness();
      return now.status === status && new RegExp(says).test(now.text);
    }, limitMs);
  const learns = async () => {
    const count = async () =>
      Number((await database.sql`SELECT count(*) FROM agent_lessons`)[0]?.["count"]);
    const before = await count();
    for (const event of failures(3, { task_type: `t-${before}` })) {
      await jetstream(nc).publish("agent.experience.v1.scout", JSON.stringify(event));
    }
    await eventually(async () => (await count()) === before + 1, 15_000);
  };
  return { broker, started, readiness, becomes, learns, lines, fatal };
}

describe.each(await serversToTest())("on %s", { timeout: 90_000 }, (name, binary) => {
  const onServer = binary === null ? test.skip : test;

  onServer("before the start, each missing permission is named at /readyz", async () => {
    const change = (config: string) =>
      without(reading)(without("experience.stats experience-bus")(config));
    const { broker, started, becomes, readiness, lines, learns } = await openStack(
      String(binary),
      change,
    );
    await becomes(503, "waiting for NATS permissions: missing permission: ");
    const { text } = await readiness();
    expect(text).toContain(
      'publish to "$JS.API.CONSUMER.MSG.NEXT.EXPERIENCE.experience-learner-v1" (reads messages)',
    );
    expect(text).toContain(
      'publish to "$JS.API.CONSUMER.MSG.NEXT.EXPERIENCE.*" (reads events again)',
    );
    expect(text).toContain(
      'subscribe to "experience.stats" in queue group "experience-bus" (takes requests)',
    );
    expect(lines.some(({ msg }) => msg.startsWith("waiting for NATS permissions: missing"))).toBe(
      true,
    );
    await broker.reload(unchanged);
    await started;
    await becomes(200, "^ok$");
    await learns();
  });

  onServer(
    "one revoked while the service runs fails readiness by name, until it is back",
    async () => {
      const { broker, started, becomes, learns, fatal } = await openStack(String(binary));
      await started;
      await becomes(200, "^ok$");
      await broker.reload(without(reading));
      await becomes(
        503,
        'nats: missing permission: publish to ".*MSG.NEXT.EXPERIENCE.experience-learner-v1"',
      );
      await broker.reload(unchanged);
      await becomes(200, "^ok$");
      await learns();
      expect(fatal).toEqual([]);
    },
  );

  onServer("a service whose inbox is taken away comes back with it", async () => {
    const { broker, started, becomes, learns, fatal } = await openStack(String(binary));
    await started;
    await becomes(200, "^ok$");
    await broker.reload(without(inbox));
    await becomes(503, 'missing permission: subscribe to "_INBOX_service.>"');
    await broker.reload(unchanged);
    await becomes(200, "^ok$");
    await learns();
    expect(fatal).toEqual([]);
  });

  onServer("a service without its inbox says so before it starts", async () => {
    const { broker, started, becomes } = await openStack(String(binary), without(inbox));
    await becomes(503, 'missing permission: subscribe to "_INBOX_service.>"');
    await broker.reload(unchanged);
    await started;
    await becomes(200, "^ok$");
  });

  onServer(
    "where permissions cannot be read, the service starts, and a refusal shows by name",
    async () => {
      const { broker, started, becomes, lines, learns } = await openStack(
        String(binary),
        without(userInfo),
      );
      await started;
      await becomes(200, "^ok$");
      const warnings = lines.filter(({ msg }) => msg.startsWith("cannot read what NATS permits"));
      expect(warnings).toMatchObject([{ why: expect.stringContaining(userInfo) }]);
      await broker.reload((config) =>
        without(userInfo)(without(lessons, "publishes lessons")(config)),
      );
      await learns();
      await becomes(
        503,
        'missing permission: publish to "agent.lesson.v1" \\(publishes lessons\\)',
      );
    },
  );

  onServer(
    "a replica whose endpoint may not be served any more fails, until it may be",
    async () => {
      const { broker, started, becomes, fatal } = await openStack(String(binary));
      await started;
      await becomes(200, "^ok$");
      await broker.reload(without("experience.stats experience-bus"));
      if (!name.endsWith("2.10")) {
        // The client learns which subscription has ended: the replica ends, too, and is started anew.
        await eventually(() => fatal.length > 0, limitMs);
        expect(String(fatal[0])).toContain("experience.stats");
        return;
      }
      await becomes(503, 'missing permission: subscribe to "experience.stats"');
      await broker.reload(unchanged);
      await becomes(200, "^ok$");
      const operator = await broker.connect("operator");
      await eventually(
        () =>
          operator.request("experience.stats").then(
            () => true,
            () => false,
          ),
        limitMs,
      );
      expect(fatal).toEqual([]);
    },
  );

  onServer(
    "an answer that is refused to one who asks in vain does not fail readiness",
    async () => {
      const { broker, started, becomes } = await openStack(String(binary));
      await started;
      const operator = await broker.connect("operator");
      // Two requests and one place for the answers: the second answer is one too many.
      const reply = "_INBOX_operator.same";
      const got: string[] = [];
      operator.subscribe(reply, {
        callback: (_error, message) => {
          got.push(message.subject);
        },
      });
      for (let i = 0; i < 20; i++) operator.publish("experience.stats", "", { reply });
      await eventually(() => broker.violations().some((line) => line.includes(reply)));
      await becomes(200, "^ok$");
    },
  );
});
