import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { describe, expect, test } from "vitest";
import {
  desiredState,
  permissionsOf,
  provisioningPermissionsOf,
} from "../../src/handlers/derived.ts";
import { maxEventBytes } from "../../src/handlers/extractor/wire.ts";
import { type Granted, missingPermissions, type Permission } from "../../src/nats/grants.ts";
import { readGranted } from "../../src/nats/permissions.ts";
import { plan } from "../../src/nats/plan.ts";
import { includesSubject } from "../../src/nats/subject-pattern.ts";
import { readSettings } from "../../src/settings/index.ts";
import { isRefused, startSecuredBroker, type User, users } from "./secured.ts";
import { serversToTest } from "./servers.ts";

const settingsOf = (user: User, env: Record<string, string> = {}) =>
  readSettings({
    NATS_URL: "nats://127.0.0.1",
    NATS_INBOX_PREFIX: `_INBOX_${user}`,
    LEARNER_DATABASE_URL: "postgres://127.0.0.1/experience_bus",
    EXPERIENCE_PROVISION: "verify",
    ...env,
  });

/** The entries that there should be: what another one includes needs none. */
function entriesFor(needed: readonly Permission[], operation: Permission["operation"]): string[] {
  const all = needed.filter((one) => one.operation === operation);
  const isIncluded = (one: Permission) =>
    all.some(
      (other) =>
        other !== one && other.queue === one.queue && includesSubject(other.subject, one.subject),
    );
  return all
    .filter((one) => !isIncluded(one))
    .map(({ subject, queue }) => (queue === undefined ? subject : `${subject} ${queue}`))
    .sort();
}

const sorted = (list: readonly string[] | null | undefined) => [...(list ?? [])].sort();

/** What the provisioner's user makes beside what `provision` does: the durable of readers (README.md). */
const byHand = ["$JS.API.CONSUMER.CREATE.LESSONS.lesson-reader.agent.lesson.v1"];

const refused: Record<User, { publish: readonly string[]; subscribe: readonly string[] }> = {
  service: {
    publish: [
      "$JS.API.STREAM.CREATE.EXPERIENCE",
      "$JS.API.STREAM.UPDATE.LESSONS",
      "$JS.API.STREAM.DELETE.EXPERIENCE",
      "$JS.API.STREAM.PURGE.LESSONS",
      "$JS.API.STREAM.MSG.DELETE.EXPERIENCE",
      "$JS.API.STREAM.MSG.GET.LESSONS",
      "$JS.API.STREAM.NAMES",
      "$JS.API.CONSUMER.DELETE.EXPERIENCE.experience-learner-v1",
      "$JS.API.CONSUMER.DELETE.EXPERIENCE.other",
      "$JS.API.CONSUMER.CREATE.EXPERIENCE.other",
      "$JS.API.CONSUMER.CREATE.SIGNALS.feature-pipeline-signals.signals.>",
      "$JS.API.CONSUMER.MSG.NEXT.SIGNALS.other",
      "$JS.ACK.EXPERIENCE.other.1.1.1.1.1",
      "$KV.other.key",
      "agent.lesson.v2",
      "dead.EXPERIENCE.other",
      "$SRV.STATS",
      "_INBOX_agent.unasked",
      "$SYS.REQ.SERVER.PING",
    ],
    subscribe: [
      ">",
      "_INBOX.>",
      "_INBOX_agent.>",
      "agent.experience.v1.>",
      "agent.lesson.v1",
      "experience.health",
      "experience.health other-group",
      "$SRV.>",
      "$KV.>",
    ],
  },
  provisioner: {
    publish: [
      "$JS.API.STREAM.CREATE.OTHER",
      "$JS.API.STREAM.UPDATE.OTHER",
      "$JS.API.STREAM.DELETE.EXPERIENCE",
      "$JS.API.STREAM.PURGE.EXPERIENCE",
      "$JS.API.STREAM.MSG.GET.EXPERIENCE",
      "$JS.API.CONSUMER.DELETE.EXPERIENCE.experience-learner-v1",
      "$JS.API.CONSUMER.MSG.NEXT.EXPERIENCE.experience-learner-v1",
      "$JS.API.CONSUMER.CREATE.LESSONS.lesson-reader",
      "$JS.API.CONSUMER.MSG.NEXT.LESSONS.lesson-reader",
      "agent.experience.v1.scout",
      "agent.lesson.v1",
      "experience.deadletters.purge",
    ],
    subscribe: ["agent.experience.v1.>", "_INBOX_service.>", "experience.health experience-bus"],
  },
  agent: {
    publish: [
      "agent.experience.v2.scout",
      "agent.lesson.v1",
      "agent.run.v1.r1",
      "signals.page.opened",
      "dead.EXPERIENCE.experience-learner-v1",
      "experience.deadletters.purge",
      "experience.health",
      "$JS.API.INFO",
      "$JS.API.STREAM.INFO.EXPERIENCE",
      "$JS.ACK.EXPERIENCE.experience-learner-v1.1.1.1.1.1",
    ],
    subscribe: ["agent.experience.v1.>", "agent.lesson.v1", "_INBOX.>", "_INBOX_service.>"],
  },
  producer: {
    publish: [
      "agent.experience.v1.scout",
      "agent.lesson.v1",
      "experience.runs.list",
      "experience.deadletters.replay",
      "$JS.API.INFO",
    ],
    subscribe: ["signals.>", "feedback.>", "agent.run.v1.>", "experience.runs.append"],
  },
  reader: {
    publish: [
      "agent.lesson.v1",
      "agent.experience.v1.scout",
      "$JS.API.STREAM.PURGE.LESSONS",
      "$JS.API.STREAM.DELETE.LESSONS",
      "$JS.API.STREAM.MSG.DELETE.LESSONS",
      "$JS.API.CONSUMER.CREATE.LESSONS.lesson-reader",
      "$JS.API.CONSUMER.CREATE.LESSONS.lesson-reader.agent.lesson.v1",
      "$JS.API.CONSUMER.DELETE.LESSONS.lesson-reader",
      "$JS.API.CONSUMER.MSG.NEXT.LESSONS.lesson-reader",
      "$JS.BUS.API.CONSUMER.CREATE.LESSONS.lesson-reader",
      "$JS.BUS.API.CONSUMER.MSG.NEXT.LESSONS.other",
      "$JS.ACK.LESSONS.other.1.1.1.1.1",
      "$JS.API.STREAM.INFO.LESSONS",
      "experience.deadletters.purge",
    ],
    subscribe: ["agent.experience.v1.>", "agent.>", "_INBOX_service.>"],
  },
  operator: {
    publish: [
      "agent.experience.v1.scout",
      "agent.lesson.v1",
      "dead.EXPERIENCE.experience-learner-v1",
      "$JS.API.STREAM.DELETE.DEAD_LETTERS",
      "$JS.API.STREAM.MSG.GET.EXPERIENCE",
      "$JS.API.CONSUMER.DELETE.EXPERIENCE.experience-learner-v1",
      "$JS.API.CONSUMER.CREATE.EXPERIENCE.x",
      "$KV.experience-learner-v1-evidence.coverage",
    ],
    subscribe: ["experience.>", "agent.>", "_INBOX_service.>"],
  },
};

describe.each(await serversToTest())("on %s", (name, binary) => {
  const onServer = binary === null ? test.skip : test;
  /** A 2.10 keeps to queue groups, and does not tell of them. */
  const asTold = (entries: readonly string[]) =>
    name.endsWith("2.10") ? entries.map((entry) => entry.replace(/ .*/, "")).sort() : entries;

  onServer("the service's user may do what the service needs, and nothing else", async () => {
    const broker = await startSecuredBroker(String(binary));
    const granted = await readGranted(await broker.connect("service"));
    const needed = permissionsOf(settingsOf("service"));
    expect(missingPermissions(granted, needed)).toEqual([]);
    expect(sorted(granted?.publish?.allow)).toEqual(entriesFor(needed, "publish"));
    expect(sorted(granted?.subscribe?.allow)).toEqual(asTold(entriesFor(needed, "subscribe")));
    expect(granted?.responses).toMatchObject({ max: 1 });
  });

  onServer("the provisioner's user may do what provisioning needs, and nothing else", async () => {
    const broker = await startSecuredBroker(String(binary));
    const granted = await readGranted(await broker.connect("provisioner"));
    const needed = provisioningPermissionsOf(settingsOf("provisioner"));
    const publish = [...entriesFor(needed, "publish"), ...byHand].sort();
    expect(sorted(granted?.publish?.allow)).toEqual(publish);
    expect(sorted(granted?.subscribe?.allow)).toEqual(entriesFor(needed, "subscribe"));
    expect(granted?.responses).toBeUndefined();
  });

  onServer("the provisioner creates what is missing, and updates what differs", async () => {
    const broker = await startSecuredBroker(String(binary));
    const admin = await jetstreamManager(await broker.connect("admin"));
    await admin.streams.add({ name: "LESSONS", subjects: ["agent.lesson.v1"] });
    await admin.streams.add({ name: "SIGNALS", subjects: ["signals.>"] });
    await admin.consumers.add("SIGNALS", {
      durable_name: "feature-pipeline-signals",
      filter_subject: "signals.>",
      ack_policy: "explicit",
    });
    const jsm = await jetstreamManager(await broker.connect("provisioner"));
    const settings = settingsOf("provisioner");
    const needed = desiredState(settings);
    const steps = await plan(jsm, needed);
    expect(steps.map(({ action, what }) => `${action} ${what}`)).toEqual(
      expect.arrayContaining([
        "create stream EXPERIENCE",
        "update stream LESSONS",
        "update consumer SIGNALS/feature-pipeline-signals",
      ]),
    );
    for (const step of steps) await step.run?.();
    expect(await plan(jsm, needed)).toEqual([]);
    expect(broker.violations()).toEqual([]);
  });

  onServer.each(users)("%s is refused what it should not do", async (user) => {
    const broker = await startSecuredBroker(String(binary));
    const nc = await broker.connect(user);
    for (const operation of ["publish", "subscribe"] as const) {
      const subjects = refused[user][operation];
      const outcomes: [string, boolean][] = [];
      for (const subject of subjects) {
        outcomes.push([subject, await isRefused(nc, operation, subject)]);
      }
      expect(outcomes).toEqual(subjects.map((subject) => [subject, true]));
    }
  });

  onServer("an agent may publish the largest event, with headers, and not much more", async () => {
    const broker = await startSecuredBroker(String(binary));
    const admin = await jetstreamManager(await broker.connect("admin"));
    await admin.streams.add({ name: "EXPERIENCE", subjects: ["agent.experience.v1.>"] });
    const js = jetstream(await broker.connect("agent"));
    const event = (bytes: number) =>
      js.publish("agent.experience.v1.scout", new Uint8Array(bytes), { msgID: "m".repeat(1_000) });
    expect(await event(maxEventBytes)).toMatchObject({ seq: 1 });
    await expect(event(2 * maxEventBytes)).rejects.toThrow(/max_payload/);
  });

  onServer("the server tells of no permissions where a user may do everything", async () => {
    const broker = await startSecuredBroker(String(binary));
    const granted: Granted = await readGranted(await broker.connect("admin"));
    expect(granted).toBeNull();
  });
});

test("what a replica does not host it needs no permission for", () => {
  const needed = permissionsOf(settingsOf("service", { EXPERIENCE_CONCERNS: "features" }));
  const subjects = needed.map(({ subject }) => subject);
  expect(subjects).toContain("$JS.API.CONSUMER.MSG.NEXT.SIGNALS.feature-pipeline-signals");
  expect(subjects.filter((one) => /MSG\.NEXT\.(EXPERIENCE|RUNS)|agent\.lesson/.test(one))).toEqual(
    [],
  );
});

test("a service that provisions creates as the provisioner does, and updates nothing", () => {
  const env = { EXPERIENCE_PROVISION: "apply" };
  const needed = permissionsOf(settingsOf("service", env)).map(({ subject }) => subject);
  const provisioner = provisioningPermissionsOf(settingsOf("service")).map(
    ({ subject }) => subject,
  );
  const updates = provisioner.filter((subject) => subject.includes(".UPDATE."));
  expect(provisioner.filter((subject) => !needed.includes(subject))).toEqual(updates);
});
