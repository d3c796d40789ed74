import { expect, test } from "vitest";
import { eventually } from "../rig/eventually.ts";
import { openStack } from "../rig/service.ts";
import { ask, failures, publish } from "../rig/traffic.ts";
import { run } from "./command.ts";

test("a person reads what an agent is told, decides, and reads what a run was told", async () => {
  const stack = await openStack();
  await stack.start({ LESSON_TRIAL_SHARE: "1" });
  const { nc, url } = stack.broker;
  const cli = (args: string) => run(args, { NATS_URL: url });
  await publish(stack.broker, ...failures(3));
  const recalled = async () =>
    (await ask(nc, "experience.lessons.recall", { agent_id: "scout" })).body.lessons;
  await eventually(async () => (await recalled()).length === 1, 20_000);
  const [{ lesson_key: key }] = await recalled();
  const told = await cli("lessons recall --agent scout --task triage --tool search");
  expect(told).toMatchObject({ code: 0, complaints: "" });
  expect(told.out).toMatch(
    /^\[lessons \w{12}\]\n.*\n- In task triage, search failed with "timeout"/,
  );
  const short = key.slice(0, 8);
  const silenced = await cli(`lessons silence ${short} --by Ada --reason noise`);
  expect(silenced).toMatchObject({
    ...{ code: 0, complaints: "", out: `${key.slice(0, 12)}: silence\n` },
  });
  const nothing = await cli("lessons recall --agent scout");
  expect(nothing).toMatchObject({ code: 0, out: "" });
  expect(nothing.complaints).toBe("There is nothing to tell.\nLeft out: 1 silenced.\n");
  await cli(`lessons restore ${short} --by Ada --reason mistaken`);
  await cli(`lessons pin ${short} --by Ada --reason first --until 2100-01-01`);
  expect(JSON.parse((await cli("lessons recall --agent scout --json")).out)).toMatchObject({
    lessons: [{ lesson_key: key, pinned: true }],
  });
  expect((await cli("lessons pin 00000000 --by Ada --reason x")).code).toBe(3);
  expect((await cli("lessons receipts nobody")).complaints).toBe(
    "Nothing is on record of this run.\n",
  );
  await eventually(async () => {
    // A slow machine may take longer than an agent waits: then it is not on record.
    await cli("lessons recall --agent scout --run r1");
    const { out } = await cli("lessons receipts r1");
    return /attached +- +1 +1/.test(out);
  }, 20_000);
}, 60_000);
