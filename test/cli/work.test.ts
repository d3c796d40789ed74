import { expect, test } from "vitest";
import { eventually } from "../rig/eventually.ts";
import { openStack, type Stack } from "../rig/service.ts";
import { ask, failure } from "../rig/traffic.ts";
import { run, startCommand } from "./command.ts";

const command = ({ broker }: Stack, args: string, input = "") =>
  run(args, { NATS_URL: broker.url }, input);

test("explain says why an event has made no lesson", async () => {
  const stack = await openStack();
  await stack.start();
  const event = JSON.stringify(failure());
  const { out, code } = await command(stack, "explain", event);
  expect(code).toBe(0);
  expect(out).toContain("agent_id=scout");
  expect(out).toMatch(/^error +0 of 3 +no +\S/m);
  const asJson = await command(stack, "explain - --json", event);
  expect(JSON.parse(asJson.out).rules.length).toBeGreaterThan(2);
  const broken = await command(stack, "explain", "{secret");
  expect([broken.code, broken.complaints]).toEqual([2, expect.stringContaining("not JSON")]);
  expect(broken.complaints).not.toContain("secret");
});

test("features get shows the row of a user, and ends with 3 where there is none", async () => {
  const stack = await openStack();
  await stack.start();
  await stack.broker.js.publish("signals.page.opened", '{"user_id":"ada"}');
  await eventually(async () => (await command(stack, "features get ada")).code === 0);
  const { out } = await command(stack, "features get ada");
  expect(out).toMatch(/^user_id +ada$/m);
  expect((await command(stack, "features get bob")).code).toBe(3);
});

test("runs are listed, shown, and followed to their end", async () => {
  const stack = await openStack();
  await stack.start();
  const append = (type: string, data = {}) =>
    ask(stack.broker.nc, "experience.runs.append", { run_id: "r1", agent_id: "scout", type, data });
  await append("run_started", { question: "why\u001b[2J?" });
  const listed = await command(stack, "runs ls --agent scout --since 1h");
  expect(listed.out).toMatch(/ r1 +running +scout +1 +why \[2J\?$/m);
  expect((await command(stack, "runs ls --agent nobody")).out).toBe("");
  const following = startCommand(["runs", "follow", "r1"], { NATS_URL: stack.broker.url });
  await eventually(() => following.out().includes("run_started"));
  await append("step");
  await append("run_completed");
  const { code, out } = await following.ended;
  expect([code, out.match(/^\d+/gm)]).toEqual([0, ["1", "2", "3"]]);
  const after = await command(stack, "runs follow r1 --after 3");
  expect([after.code, after.out]).toEqual([0, ""]);
  const shown = await command(stack, "runs show r1 --json");
  expect(JSON.parse(shown.out)).toMatchObject({ status: "completed", events: { length: 3 } });
  expect((await command(stack, "runs show nobody")).code).toBe(3);
});
