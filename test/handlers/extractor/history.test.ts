import { AckPolicy } from "@nats-io/jetstream";
import { expect, test } from "vitest";
import { openHistory } from "../../../src/handlers/extractor/history.ts";
import { openBucket } from "../../kv/bucket.ts";
import { plainEvent } from "../../unit/extractor/events.ts";

const hour = 3_600_000;

test("what a durable consumer before this one may have been given is read again, too, where it can have been one", async () => {
  const { broker, silent } = await openBucket();
  const { js, jsm } = broker;
  await jsm.streams.add({ name: "PAST", subjects: ["past.>"] });
  await jsm.consumers.add("PAST", { durable_name: "past", ack_policy: AckPolicy.Explicit });
  for (const id of ["one", "two", "three"]) await js.publish("past.agent", id);
  await (await js.consumers.get("PAST", "past")).next();

  const history = openHistory({
    ...{ js, jsm, stream: "PAST", durable: "past", subject: "past.>", maxDeliver: 5, log: silent },
    decode: ({ data }) => ({ ...plainEvent, eventId: new TextDecoder().decode(data) }),
    attempts: {
      read: async () => ({ started: 0 }),
      start: async () => ({ started: 1 }),
      end: async () => undefined,
      fail: async () => undefined,
    },
  });
  const replayed = async (formerSince?: number) => {
    const ids: string[] = [];
    await history.replay(
      Date.now() - hour,
      async (events) => void ids.push(...events.map(({ eventId }) => eventId)),
      true,
      formerSince,
    );
    return ids;
  };
  expect(await replayed()).toEqual(["one"]);
  expect(await replayed(Date.now() + hour)).toEqual(["one"]);
  expect(await replayed(Date.now() - hour)).toEqual(["one", "two", "three"]);
});
