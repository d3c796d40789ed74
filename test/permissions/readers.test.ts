import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { describe, expect, test } from "vitest";
import { eventually } from "../rig/eventually.ts";
import { lessonReader, makeLessonReader } from "./lesson-reader.ts";
import { startSecuredBroker } from "./secured.ts";
import { serversToTest } from "./servers.ts";

/** A stream of lessons, with one in it, and the durable of readers, made twice. */
async function openLessons(binary: string) {
  const broker = await startSecuredBroker(binary);
  const admin = await broker.connect("admin");
  const jsm = await jetstreamManager(admin);
  await jsm.streams.add({ name: "LESSONS", subjects: ["agent.lesson.v1"] });
  const provisioner = await broker.connect("provisioner");
  await makeLessonReader(provisioner);
  await makeLessonReader(provisioner);
  const learn = (lesson: string) => jetstream(admin).publish("agent.lesson.v1", lesson);
  await learn("missed");
  return { broker, learn };
}

describe.each(await serversToTest())("on %s", (_, binary) => {
  const onServer = binary === null ? test.skip : test;

  onServer("a reader gets the lessons that it missed, and waits for more", async () => {
    const { broker, learn } = await openLessons(String(binary));
    const durable = await lessonReader(await broker.connect("reader"));
    const lessons = await durable.consume({ expires: 1_000 });
    const got: string[] = [];
    let pulls = 0;
    void (async () => {
      for await (const status of lessons.status()) if (status.type === "next") pulls += 1;
    })();
    const reading = (async () => {
      for await (const message of lessons) {
        got.push(message.string());
        message.ack();
      }
    })();
    await eventually(() => got.length === 1);
    // One pull has ended meanwhile, with heartbeats from another account before it did.
    await eventually(() => pulls > 1);
    await learn("new");
    await eventually(() => got.length === 2);
    expect(got).toEqual(["missed", "new"]);
    await eventually(async () => (await durable.info()).num_ack_pending === 0);
    await lessons.close();
    await reading;
    expect(broker.violations()).toEqual([]);
  });

  onServer("a lesson that a reader does not acknowledge goes to the next one", async () => {
    const { broker } = await openLessons(String(binary));
    const [one, other] = [await broker.connect("reader"), await broker.connect("reader")];
    const first = await (await lessonReader(one)).next({ expires: 5_000 });
    first?.nak();
    const again = await (await lessonReader(other)).next({ expires: 5_000 });
    expect(again?.string()).toBe("missed");
    expect(again?.info.deliveryCount).toBe(2);
    expect(await again?.ackAck()).toBe(true);
  });
});
