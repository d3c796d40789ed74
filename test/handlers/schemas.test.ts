import Schema from "typebox/schema";
import { expect, test } from "vitest";
import { eventually } from "../rig/eventually.ts";
import { openStack, type Stack } from "../rig/service.ts";
import { ask, failure, failures } from "../rig/traffic.ts";

interface Mounted {
  readonly name: string;
  readonly subject: string;
  readonly metadata: Record<"request_schema" | "reply_schema", string>;
}

const requests: Record<string, unknown> = {
  extractor: [failure(), {}],
  "extractor-explain": failure(),
  health: "",
  "health-instance": "",
  stats: "",
  "deadletters-list": { stream: "EXPERIENCE", since: 0, limit: 1 },
  "deadletters-get": { id: 1 },
  "deadletters-replay": { id: "1" },
  "deadletters-purge": { reason: "not json", note: "a test" },
  "runs-append": { run_id: "r1", type: "step" },
  "runs-heartbeat": { run_id: "r0" },
  "runs-get": { run_id: "r0" },
  "runs-list": { status: "running", limit: 1 },
  "runs-events": { run_id: "r0", after: 0 },
  "runs-latest": { run_id: "r0", type: "run_started" },
  "features-get": { user_id: "ada" },
  "features-batch": { user_ids: ["ada", "nobody"] },
  "review-create": { feedback_id: "f1" },
  "review-advance": { entry_id: "e0", to: "case_draft", case: { case_id: "c" } },
  "review-get": { entry_id: "e0" },
  "review-list": { limit: 1 },
  "review-remove": { entry_id: "e0", by: "Ada", reason: "a test" },
  "review-stats": {},
  "lessons-recall": { agent_id: "scout", run_id: "r0" },
  "lessons-list": { limit: 1 },
  "lessons-get": { lesson_key: "filled in" },
  "lessons-curate": { lesson_key: "filled in", action: "pin", by: "Ada", reason: "a test" },
  "lessons-receipts": { run_id: "r0" },
  "lessons-outcome": { run_id: "r0", success: true },
  "effects-list": { limit: 1 },
  "effects-get": { lesson_key: "filled in" },
  "lessons-root": { tenant_id: "default" },
  "history-backtest": { error_threshold: 2, since: 0 },
  "memory-save": { scope: "project", insight: "it is so", confidence: 1, tags: ["t"] },
  "memory-get": { entry_id: "m0" },
  "memory-list": { limit: 1 },
  "memory-recall": { tags: ["t"] },
  "memory-feedback": { entry_id: "m0", verdict: "positive" },
  "memory-promote": {
    entry_id: "m0",
    policy: { from_scope: "project", to_scope: "project", trigger: "user_feedback" },
  },
  "memory-remove": { entry_id: "m0" },
  "memory-audit": {},
  "ingest-explain": { hook: { hook_event_name: "Notification" }, agent: "codex" },
  "memory-stats": {},
  "changes-append": { user_id: "ada", table: "notes", record_id: "n1", op: "insert" },
  "agents-list": { limit: 1 },
  "agents-get": { user_id: "ada", agent_id: "a0" },
  "missions-list": { user_id: "ada" },
  "missions-get": { user_id: "ada", mission_id: "m0" },
  "missions-iterations": { user_id: "ada", mission_id: "m0" },
  "missions-audit": { user_id: "ada", mission_id: "m0" },
  "missions-tick": {},
  "fleet-health": {},
  "counts-series": { step: 3_600 },
  "counts-agents": { limit: 1 },
  "counts-rebuild": {},
};

/** Lessons, a dead letter, a user with features, and a run. */
async function fill({ broker: { nc, js } }: Stack): Promise<void> {
  await ask(nc, "experience.extractor", failures(3));
  await ask(nc, "experience.runs.append", { run_id: "r0", type: "run_started" });
  await ask(nc, "experience.review.create", { entry_id: "e0", feedback_id: "f0" });
  const insight = { scope: "project", insight: "it is", confidence: 0.5, tags: ["t"] };
  await ask(nc, "experience.memory.save", { entry_id: "m0", ...insight });
  const record = { user_id: "ada", op: "insert", data: { name: "Scout", title: "Weekly" } };
  await ask(nc, "experience.changes.append", [
    { ...record, table: "agents", record_id: "a0" },
    { ...record, table: "missions", record_id: "m0" },
  ]);
  await js.publish("agent.experience.v1.scout", "{");
  await js.publish("signals.page.opened", '{"user_id":"ada"}');
  await eventually(async () => {
    const { body } = await ask(nc, "experience.stats");
    const { dead_letters, feature_rows, missions, lessons } = body;
    const counts = [dead_letters, feature_rows, missions, lessons.error];
    return counts.every((count) => count === 1);
  });
}

test("every reply has the shape that its endpoint's metadata names", async () => {
  const stack = await openStack();
  await stack.start({ MISSION_PLANNER: "nats:planner" });
  const { nc } = stack.broker;
  await fill(stack);
  const { endpoints } = (await ask(nc, "$SRV.INFO.experience-bus")).body;
  expect(endpoints.map(({ name }: Mounted) => name).sort()).toEqual(Object.keys(requests).sort());
  const { lessons } = (await ask(nc, "experience.lessons.list")).body;
  const ofLesson = { lesson_key: lessons[0].lesson_key };
  for (const { name, subject, metadata } of endpoints as Mounted[]) {
    const request = requests[name];
    const hasKey = typeof request === "object" && request !== null && "lesson_key" in request;
    const asked = hasKey ? { ...request, ...ofLesson } : request;
    const { body, error } = await ask(nc, subject, asked);
    expect(error, name).toBe("");
    expect(Schema.Errors(JSON.parse(metadata.reply_schema), body), name).toEqual([true, []]);
  }
});

test("the extractor's request schema takes one event or many, and nothing else", async () => {
  const stack = await openStack();
  await stack.start();
  const { endpoints } = (await ask(stack.broker.nc, "$SRV.INFO.experience-bus")).body;
  const extractor = endpoints.find(({ name }: Mounted) => name === "extractor");
  const schema = Schema.Compile(JSON.parse(extractor.metadata.request_schema));
  expect(schema.Check(failure())).toBe(true);
  expect(schema.Check(failures(2))).toBe(true);
  expect(schema.Check([{ result: {} }])).toBe(false);
  expect(schema.Check(failures(1_001))).toBe(false);
  expect(schema.Check("text")).toBe(false);
});
