import type { NatsConnection } from "@nats-io/transport-node";
import { eventually } from "../rig/eventually.ts";
import type { Stack, TestService } from "../rig/service.ts";
import { ask, bodyOf, failures, publish } from "../rig/traffic.ts";

/** What somebody could try in a text: markup, scripts, a change of direction, characters that are not seen, one long word. */
export const hostile = `<img src=x onerror="document.title='owned'"><script>document.title='owned'</script>\u202Egnirts\u200B ${"W".repeat(128)} </main></body>`;

export const hostileRun = hostile.slice(0, 128);

/** Something on every page of the console, hostile text wherever text may be. */
export async function fillConsole(
  { broker, database }: Stack,
  service: TestService,
): Promise<void> {
  const { nc, js } = broker;
  await publish(broker, ...failures(3, { agent_id: "scout" }));
  const events = failures(3, {
    ...{ agent_id: hostile.slice(0, 128), task_type: hostile.slice(0, 200), run_id: hostile },
    ...{ tool: { name: hostile }, result: { ok: false, error_class: hostile } },
  });
  const each = events.map((event, n) => ({ ...event, run_id: `${n} ${hostile}` }));
  await bodyOf(ask(nc, "experience.extractor", each));
  const run = { run_id: hostileRun, agent_id: hostile.slice(0, 128) };
  await bodyOf(
    ask(nc, "experience.runs.append", [
      { ...run, type: "run_started", data: { question: hostile } },
      ...Array.from({ length: 20 }, (_, n) => ({
        ...{ ...run, type: hostile.slice(0, 128) },
        data: { n, text: hostile.repeat(n % 5) },
      })),
    ]),
  );
  await fillBoards(nc);
  await database.sql`
    INSERT INTO mission_decrypt_audit (tenant_id, user_id, mission_id, iteration_id, table_name, record_id, field, outcome)
    VALUES ('default', 'ada', 'm0', ${hostile}, ${hostile}, ${hostile}, ${hostile}, 'scope-violation')`;
  await js.publish("agent.experience.v1.scout", hostile);
  await eventually(async () => (await database.sql`SELECT FROM lesson_epochs`).length >= 2, 20_000);
  await eventually(async () => (await service.health()).checks.dead_letters?.open === 1, 20_000);
}

/** What people review, what is remembered, and what agents have before them. */
async function fillBoards(nc: NatsConnection): Promise<void> {
  // Where people write, hidden characters are refused at the door.
  const text = hostile.replaceAll(/[\u200B\u202E]/g, "");
  const id = text.slice(0, 128);
  const entry = { feedback_id: id, summary: text };
  await bodyOf(ask(nc, "experience.review.create", { ...entry, entry_id: "e0" }));
  await bodyOf(ask(nc, "experience.review.create", { ...entry, entry_id: id }));
  const insight = { insight: text, confidence: 0.5, tags: [id], project_key: id };
  await bodyOf(ask(nc, "experience.memory.save", { ...insight, entry_id: "m0", scope: "project" }));
  const of = { user_id: "ada", op: "insert", data: { title: text, name: text } };
  await bodyOf(
    ask(nc, "experience.changes.append", [
      { ...of, table: "agents", record_id: id },
      { ...of, table: "missions", record_id: "m0" },
    ]),
  );
  const mission = { user_id: "ada", mission_id: "m0" };
  await eventually(
    async () => (await ask(nc, "experience.missions.get", mission)).error === "",
    20_000,
  );
}
