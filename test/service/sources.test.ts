import { headers } from "@nats-io/transport-node";
import { expect, test, vi } from "vitest";
import { eventually } from "../rig/eventually.ts";
import { openStack } from "../rig/service.ts";
import { failure } from "../rig/traffic.ts";

vi.setConfig({ testTimeout: 60_000 });

const concerns = { EXPERIENCE_CONCERNS: "extractor,deadletters,windows" };

async function openRegions(regions: readonly string[]) {
  const stack = await openStack();
  const { js, jsm } = stack.broker;
  for (const region of regions) {
    await jsm.streams.add({ name: region.toUpperCase(), subjects: [`${region}.agent.experience.v1.>`] }); // biome-ignore format: one line
  }
  await jsm.streams.add({
    name: "EXPERIENCE",
    sources: regions.map((region) => ({
      name: region.toUpperCase(),
      subject_transforms: [
        { src: `${region}.agent.experience.v1.>`, dest: "agent.experience.v1.>" },
      ],
    })),
  });
  /** As a producer of that region publishes it, with the id of its message. */
  const publish = async (region: string, agent: string, id: string) => {
    const { event_id: _, ...event } = failure({ agent_id: agent });
    const own = headers();
    own.set("Nats-Msg-Id", id);
    const payload = JSON.stringify(event);
    const ack = await js.publish(`${region}.agent.experience.v1.${agent}`, payload, { headers: own }); // biome-ignore format: one line
    expect(ack.duplicate).toBe(false);
  };
  const stored = async () => (await jsm.streams.info("EXPERIENCE")).state.messages;
  const lessons = () => stack.database.sql`SELECT agent_id, evidence->>'count' AS count FROM agent_lessons`; // biome-ignore format: one line
  return { ...stack, publish, stored, lessons };
}

test("a stream of several sources: what both bring under one message id counts once, for each agent apart", async () => {
  const { publish, stored, lessons, start } = await openRegions(["east", "west", "north"]);
  // Sources deduplicate nothing: the same ids come from both.
  for (const id of ["1", "2"]) for (const region of ["east", "west"]) await publish(region, "scout", id); // biome-ignore format: one line
  for (const id of ["1", "2", "3"]) await publish("north", "clerk", id);
  await eventually(async () => (await stored()) === 7);
  const service = await start(concerns);
  const { durable, stream } = { stream: "EXPERIENCE", durable: "experience-learner-v1" };
  await eventually(async () => {
    const { consumers } = (await service.health()).checks;
    const state = consumers[`${stream}/${durable}`];
    return state?.pending === 0 && state.ack_pending === 0 && (await lessons()).length > 0;
  });
  expect((await lessons()).map(({ agent_id }) => agent_id)).toEqual(["clerk"]);

  // Neither is there anything to complain of, nor to be made.
  expect(service.log.filter(({ level }) => level >= 40)).toEqual([]);
  await publish("west", "scout", "3");
  await eventually(async () => (await lessons()).length === 2);
});

test("a stream that mirrors another one is read; its events are published to the other one", async () => {
  const stack = await openStack();
  const { jsm, js } = stack.broker;
  await jsm.streams.add({ name: "ORIGIN", subjects: ["agent.experience.v1.>"] });
  await jsm.streams.add({ name: "EXPERIENCE", mirror: { name: "ORIGIN" } });
  const publish = (id: string) =>
    js.publish("agent.experience.v1.scout", JSON.stringify(failure({ event_id: id })));
  for (const id of ["1", "2", "2"]) await publish(id);
  const service = await stack.start(concerns);
  const answered = await stack.broker.nc.request("experience.extractor", JSON.stringify(failure({ event_id: "3" }))); // biome-ignore format: one line
  expect(answered.json()).toEqual({ stored: 1, duplicates: 0, invalid: [] });
  const lessons = () => stack.database.sql`SELECT FROM agent_lessons`;
  await eventually(async () => (await lessons()).length === 1);
  expect(service.log.filter(({ level }) => level >= 40)).toEqual([]);

  // From an empty bucket it is read again, and gives the same.
  await service.stop();
  for (const { config } of await jsm.streams.list().next()) if (config.name.startsWith("KV_")) await jsm.streams.delete(config.name); // biome-ignore format: one line
  const again = await stack.start(concerns);
  await publish("4");
  await eventually(async () => {
    const { consumers } = (await again.health()).checks;
    return consumers["EXPERIENCE/experience-learner-v1"]?.pending === 0;
  });
  expect(await lessons()).toHaveLength(1);
});
