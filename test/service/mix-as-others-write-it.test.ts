import { isDeepStrictEqual } from "node:util";
import { expect, test } from "vitest";
import { mix } from "../../bench/mix.ts";
import { experienceEventSchema } from "../../src/handlers/extractor/wire.ts";
import { eventually } from "../rig/eventually.ts";
import { openStack, type Stack } from "../rig/service.ts";
import { payloadOf, producers } from "../unit/fixtures/producers.ts";

const pydantic = producers.filter(({ name }) => name === "Python, Pydantic with time.time()");

/** What has been learned of a tenant, without what names the tenant. */
const learnedOf = ({ database: { sql } }: Stack, tenant: string) => sql`
  SELECT agent_id, task_type, lesson_type, scope, signals::text AS signals,
    (SELECT count(*)::int FROM lesson_sightings AS seen WHERE seen.lesson_key = lesson.lesson_key) AS sightings
  FROM agent_lessons AS lesson WHERE tenant_id = ${tenant} ORDER BY 1, 2, 3, 4, 5`;

async function isAllRead({ broker: { jsm } }: Stack): Promise<boolean> {
  const { num_pending, num_ack_pending } = await jsm.consumers.info(
    "EXPERIENCE",
    "experience-learner-v1",
  );
  return num_pending + num_ack_pending === 0;
}

test("the bench's mix with null for what is absent, and times in seconds, gives the same lessons", async () => {
  expect(pydantic).toHaveLength(1);
  const stack = await openStack();
  await stack.start();
  const { js } = stack.broker;
  const events = [...mix({ count: 3_000, endsAt: Date.now(), agents: 5 })].map(({ payload }) =>
    JSON.parse(Buffer.from(payload).toString()),
  );
  const asTenant = (tenant_id: string) =>
    events.map((event) => ({ ...event, tenant_id, ts: Date.parse(event.ts) }));
  const plain = asTenant("plain").map((event) => Buffer.from(JSON.stringify(event)));
  const others = asTenant("others").flatMap((event) =>
    pydantic.map((producer) => payloadOf(producer, event, experienceEventSchema)),
  );
  expect(Buffer.from(others[0] ?? []).toString()).toMatch(/null/);
  for (const payloads of [plain, others]) {
    await Promise.all(payloads.map((payload) => js.publish("agent.experience.v1.bench", payload)));
  }
  await eventually(() => isAllRead(stack), 60_000);
  // The pass over windows, which adds lessons of its own, may be at one tenant before it is at the other.
  let learned: readonly object[] = [];
  let fromOthers: readonly object[] = [];
  await eventually(async () => {
    [learned, fromOthers] = [await learnedOf(stack, "plain"), await learnedOf(stack, "others")];
    return isDeepStrictEqual([...learned], [...fromOthers]);
  }, 30_000).catch(() => undefined);
  expect(learned.length).toBeGreaterThan(10);
  expect(fromOthers).toEqual(learned);
}, 120_000);
