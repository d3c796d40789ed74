import { headers } from "@nats-io/transport-node";
import { expect, test } from "vitest";
import { deadLetterHeaders } from "../../src/runtime/dead-letter-message.ts";
import { deadLetterSubject } from "../../src/subjects.ts";
import { eventually } from "../rig/eventually.ts";
import { openStack, type Stack } from "../rig/service.ts";
import { ask } from "../rig/traffic.ts";

const users = 10_000;
/** As large as they may well be, so that one request is not enough for all. */
const note = "x".repeat(4_096);
/** So many of them, in the middle, PostgreSQL still refuses. */
const refused = 20;

/** Follows the cursor to its end. */
async function replayAll({ broker: { nc } }: Stack) {
  const startedAt = performance.now();
  const total = { matched: 0, replayed: 0, skipped: 0, requests: 0, seconds: 0 };
  let cursor: string | undefined;
  do {
    const request = { all: true, ...(cursor && { cursor }) };
    const { body, error } = await ask(nc, "experience.deadletters.replay", request);
    expect(error).toBe("");
    total.matched += body.matched;
    total.replayed += body.replayed;
    total.skipped += body.skipped_count;
    total.requests += 1;
    cursor = body.cursor ?? undefined;
  } while (cursor !== undefined);
  return { ...total, seconds: (performance.now() - startedAt) / 1_000 };
}

const stats = async ({ broker: { nc } }: Stack) => (await ask(nc, "experience.stats")).body;

async function untilOpen(stack: Stack, open: number, acked: number): Promise<void> {
  await eventually(async () => {
    const { dead_letters_open, consumers } = await stats(stack);
    const { acked_through } = consumers["SIGNALS/feature-pipeline-signals"];
    return dead_letters_open === open && acked_through === acked;
  }, 45_000);
}

/** As if the signals of so many users had been refused; to have them refused takes minutes. */
async function giveUpSignals({ broker: { js } }: Stack): Promise<void> {
  const write = (i: number) => {
    const kind = i >= users / 2 && i < users / 2 + refused ? "bad" : "good";
    const letter = headers();
    letter.set("Nats-Msg-Id", `letter-${i}`);
    letter.set(deadLetterHeaders.subject, "signals.page.opened");
    letter.set(deadLetterHeaders.reason, "PostgreSQL: 23514 check_violation");
    letter.set(deadLetterHeaders.code, "bad_request");
    letter.set(deadLetterHeaders.eventId, `event-${i}`);
    return js.publish(
      deadLetterSubject("SIGNALS", "feature-pipeline-signals"),
      `{"user_id":"${kind}-${i}","note":"${note}"}`,
      {
        headers: letter,
      },
    );
  };
  for (let start = 0; start < users; start += 1_000) {
    await Promise.all(Array.from({ length: 1_000 }, (_, i) => write(start + i)));
  }
}

const replaysOfOpen = async ({ broker: { nc } }: Stack): Promise<number[]> => {
  const request = { replayed: false, limit: 1_000 };
  const { body } = await ask(nc, "experience.deadletters.list", request);
  return body.dead_letters.map(({ replays }: { replays: number }) => replays);
};

test("10,000 dead letters are replayed; the good ones apply once, the bad ones come back counted", async () => {
  const stack = await openStack();
  const { sql } = stack.database;
  await sql`ALTER TABLE user_features ADD CHECK (user_id NOT LIKE 'bad-%')`;
  await stack.start({ NATS_MAX_DELIVER: "1" });
  await giveUpSignals(stack);

  const first = await replayAll(stack);
  console.info(`${users} replayed in ${first.seconds.toFixed(1)} s by ${first.requests} requests`);
  expect(first).toMatchObject({ matched: users, replayed: users, skipped: 0 });
  await untilOpen(stack, refused, users);
  expect(await replaysOfOpen(stack)).toEqual(Array(refused).fill(1));
  expect(await sql`SELECT version::int, count(*)::int FROM user_features GROUP BY 1`).toEqual([
    { version: 1, count: users - refused },
  ]);

  expect(await replayAll(stack)).toMatchObject({ matched: refused, replayed: refused });
  await untilOpen(stack, refused, users + refused);
  expect(await replaysOfOpen(stack)).toEqual(Array(refused).fill(2));
  expect(await stats(stack)).toMatchObject({
    dead_letters_replayed: users + refused,
    feature_rows: users - refused,
  });
}, 60_000);
