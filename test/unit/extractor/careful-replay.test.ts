import { expect, test } from "vitest";
import { BusError } from "../../../src/errors.ts";
import { handOverCarefully } from "../../../src/handlers/extractor/history.ts";
import { type Attempts, noAttempts, openAttemptsLog } from "../../../src/kv/attempts.ts";
import type { StoredMessage } from "../../../src/runtime/delivery.ts";
import { plainEvent } from "./events.ts";
import { documents, ModelBucket } from "./model.ts";

const messageOf = (identity: string) => ({ identity }) as StoredMessage;
const messages = ["a", "b", "c"].map(messageOf);

function setUp() {
  const bucket = new ModelBucket({ now: 0 }, 1_000);
  const store = documents<Attempts>(bucket, "attempts.", new Map(), async (effect) => effect());
  const attempts = openAttemptsLog(store);
  const handed: string[][] = [];
  const decode = ({ identity }: StoredMessage) => {
    if (identity === "invalid") throw new BusError("bad_request", "no JSON");
    return identity === "empty" ? null : { ...plainEvent, eventId: identity };
  };
  const replay = async (given = messages) =>
    await handOverCarefully(
      given,
      async (events) => void handed.push(events.map(({ eventId }) => eventId)),
      { attempts, decode, maxDeliver: 2 },
    );
  return { attempts, handed, replay };
}

test("messages are handed over together, and their attempt ends", async () => {
  const { attempts, handed, replay } = setUp();
  await replay();
  expect(handed).toEqual([["a", "b", "c"]]);
  expect((await attempts.read({ identity: "replay:a" })).started).toBe(noAttempts.started);
});

test("after an attempt that has not ended, each is handed over alone", async () => {
  const { attempts, handed, replay } = setUp();
  await attempts.start({ identity: "replay:a" }, "died");
  await replay();
  expect(handed).toEqual([["a"], ["b"], ["c"]]);
});

test("one with as many started attempts as it may have is left out", async () => {
  const { attempts, handed, replay } = setUp();
  await attempts.start({ identity: "replay:a" }, "died");
  for (const attempt of ["died alone", "again"]) await attempts.start(messageOf("b"), attempt);
  await replay();
  expect(handed).toEqual([["a"], ["c"]]);
});

test("what is invalid or has no effect is not handed over", async () => {
  const { handed, replay } = setUp();
  await replay(["a", "invalid", "empty"].map(messageOf));
  expect(handed).toEqual([["a"]]);
});
