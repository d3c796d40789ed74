import { expect, onTestFinished, test } from "vitest";
import { smallMessages } from "../../src/nats/small-messages.ts";
import { startBroker } from "../rig/broker.ts";

test("what is published in one turn arrives whole and in order, and is handed to the client in one piece", async () => {
  const broker = await startBroker();
  onTestFinished(() => broker.remove());
  const { nc } = broker;
  const heard: string[] = [];
  nc.subscribe("small.>", {
    callback(_, message) {
      heard.push(`${message.subject} ${message.string()}`);
    },
  });
  const publish = smallMessages(nc);
  const sent = Array.from({ length: 3_000 }, (_, i) => [
    `small.é${i}`,
    `+ACK${"x".repeat(i % 50)}`,
  ]);
  const before = nc.stats().outMsgs;
  for (const [subject = "", text = ""] of sent) publish(subject, text);
  // The client counts what is published through it one by one.
  expect(nc.stats().outMsgs).toBe(before);
  await Promise.resolve();
  await nc.flush();
  expect(heard).toEqual(sent.map(([subject, text]) => `${subject} ${text}`));
});

test("what comes after the connection is closed is refused as the client does", async () => {
  const broker = await startBroker();
  onTestFinished(() => broker.remove());
  const publish = smallMessages(broker.nc);
  await broker.nc.close();
  expect(() => publish("small.late", "+ACK")).toThrow(/closed/i);
});
