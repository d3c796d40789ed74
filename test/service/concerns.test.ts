import { expect, test } from "vitest";
import { eventually } from "../rig/eventually.ts";
import { openStack } from "../rig/service.ts";
import { ask } from "../rig/traffic.ts";

test("a replica answers for the concerns that it hosts, and for health and stats always", async () => {
  const stack = await openStack();
  const { nc } = stack.broker;
  const service = await stack.start({ EXPERIENCE_CONCERNS: "features" });
  const row = await ask(nc, "experience.features.get", { user_id: "ada" });
  expect(row.body).toMatchObject({ code: "not_found" });
  await expect(ask(nc, "experience.runs.list", {})).rejects.toThrow("no responders");
  await eventually(async () => (await service.health()).status === "ok", 10_000);
  const { checks } = await service.health();
  expect(Object.keys(checks.consumers).sort()).toEqual([
    "FEEDBACK/feature-pipeline-feedback",
    "SIGNALS/feature-pipeline-signals",
  ]);
  const { body } = await ask(nc, "experience.stats", {});
  expect([body.lessons, body.runs]).toEqual([{}, {}]);
  expect(await stack.broker.jsm.streams.names().next()).not.toContain("EXPERIENCE");
});

test("runs are followed over HTTP only where they are hosted", async () => {
  const stack = await openStack();
  const service = await stack.start({ EXPERIENCE_CONCERNS: "extractor" });
  const { status, text } = await service.http("/runs/r-1/events");
  expect(status).toBe(404);
  expect(JSON.parse(text).message).toBe("this replica hosts no runs: see EXPERIENCE_CONCERNS");
});

test("replicas with different concerns do all the work together", async () => {
  const stack = await openStack();
  const { js } = stack.broker;
  for (const concern of [
    "extractor",
    "windows",
    "features",
    "ingest",
    "runs",
    "deadletters",
    "lessons",
    "effects",
    "history",
    "review",
    "memory",
    "missions",
    "console",
  ]) {
    await stack.start({ EXPERIENCE_CONCERNS: concern });
  }
  const failure = JSON.stringify({ result: { ok: false, error_class: "timeout" } });
  for (let count = 0; count < 3; count++) await js.publish("agent.experience.v1.a", failure);
  await js.publish("signals.page.opened", JSON.stringify({ user_id: "ada" }));
  await js.publish("signals.page.opened", "not JSON");
  await js.publish("agent.run.v1.r-1", JSON.stringify({ run_id: "r-1", type: "token" }));
  const stats = async () => (await ask(stack.broker.nc, "experience.stats", {})).body;
  await eventually(async () => {
    const { lessons, feature_rows, runs, dead_letters } = await stats();
    return lessons.error === 1 && feature_rows === 1 && runs.running === 1 && dead_letters === 1;
  });
});
