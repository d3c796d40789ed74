import { expect, onTestFinished, test } from "vitest";
import { untilTicked } from "../handlers/missions/planner.ts";
import { eventually } from "../rig/eventually.ts";
import { openStack } from "../rig/service.ts";
import { ask } from "../rig/traffic.ts";
import { run, startCommand } from "./command.ts";

test("agents and missions are listed, shown, and planned by planner-echo", async () => {
  const stack = await openStack();
  const service = await stack.start({
    MISSION_PLANNER: "nats:planner",
    MISSION_TICK_SECONDS: "3600",
  });
  await untilTicked(service);
  const env = { NATS_URL: stack.broker.url, LEARNER_DATABASE_URL: stack.database.url };
  const cli = (args: string) => run(args, env);
  const of = { user_id: "ada", op: "insert" };
  await ask(stack.broker.nc, "experience.changes.append", [
    {
      ...of,
      table: "agents",
      record_id: "a1",
      data: { name: "Scout", policy: { search: "auto" } },
    },
    {
      ...{ ...of, table: "missions", record_id: "m1" },
      data: { title: "News", agent_id: "a1", next_run_at: "2026-01-01T00:00:00Z", cron: "@daily" },
    },
  ]);
  const doctor = { ...env, MISSION_PLANNER: "nats:planner" };
  expect((await run("doctor", doctor)).out).toContain("no responders on planner");
  const echo = startCommand(["planner-echo", "--tokens", "7"], env);
  onTestFinished(() => void echo.child.kill());
  await eventually(() => echo.complaints().includes("Listening at planner"), 20_000);
  expect((await run("doctor", doctor)).out).toContain("somebody answers at planner");
  await eventually(async () => (await cli("missions ls")).out.includes("m1"), 20_000);
  expect((await cli("missions ls --user ada")).out).toMatch(
    /m1 +ada +active +a1 +2026-01-01T00:00:00.000Z +@daily +News/,
  );
  expect((await cli("agents ls")).out).toMatch(/a1 +ada +active +1 +- +Scout/);
  expect((await cli("missions tick")).out).toBe("1 due, 1 started\n");
  await eventually(() => echo.out().includes("planned m1 for a1"), 20_000);
  await eventually(
    async () => (await cli("missions iterations m1 --user ada")).out.includes("approved"),
    20_000,
  );
  expect((await cli("missions iterations m1 --user ada")).out).toMatch(
    /2026-01-01T00:00:00.000Z +[0-9a-f]{32} +approved +7 +Echo of mission m1/,
  );
  expect((await cli("missions show m1 --user ada")).out).toMatch(/claim +\{"token":1/);
  expect((await cli("agents show a1 --user ada")).out).toMatch(/tokens_24h +7/);
  expect((await cli("agents show nobody --user ada")).code).toBe(3);
}, 120_000);
