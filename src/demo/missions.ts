import { jetstreamManager } from "@nats-io/jetstream";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { echoPlan } from "../handlers/missions/echo.ts";
import type { AgentReply, IterationsReply, TickReply } from "../handlers/missions/wire.ts";
import { changes, endpointSubject } from "../subjects.ts";

/** Where the demo's planner listens. */
export const demoPlanner = "demo.planner";

const user = "demo";
const tokensPerPlan = 1_200;
const agents = {
  scout: { name: "Scout", role: "researcher", policy: { search: "auto" }, state: "active" },
  nightly: { name: "Nightly", role: "reporter", policy: { mail: "propose" }, state: "paused" },
  spender: {
    ...{ name: "Spender", role: "analyst", policy: { query: "propose" }, state: "active" },
    max_tokens_per_day: 1_000,
  },
} as const;
const missions = {
  "look-for-news": { agent_id: "scout", title: "Look for news", every_seconds: 3_600 },
  "nightly-report": { agent_id: "nightly", title: "Write the report", cron: "0 3 * * *" },
  "check-the-figures": { agent_id: "spender", title: "Check the figures", every_seconds: 900 },
  "explain-the-figures": { agent_id: "spender", title: "Explain the figures", every_seconds: 900 },
} as const;

/** Three agents, one paused and one with a small budget: what is decided about their missions, and why. */
export async function showMissions(natsUrl: string): Promise<void> {
  const nc = await connect({ servers: natsUrl });
  nc.subscribe(demoPlanner, {
    callback: (_, message) => {
      message.respond(JSON.stringify(echoPlan(message.json(), tokensPerPlan)));
    },
  });
  await storeRecords(nc);
  console.log(
    "\nThree agents have four missions that are due. A planner that needs no model plans them.\n",
  );
  const counts = await ask<TickReply>(nc, "missions-tick", {});
  await untilWritten(nc, counts.started);
  for (const [id, mission] of Object.entries(missions)) {
    console.log(await outcomeOf(nc, id, mission));
  }
  const decisions = Object.entries(counts.decisions).filter(([, count]) => count > 0);
  console.log(`\nDecisions: ${decisions.map(([name, count]) => `${count} ${name}`).join(", ")}`);
  console.log("docs/missions.md tells how agents and missions are written.");
  await nc.drain();
}

/** The budgeted agent has two missions, of which the first one uses up what it may. */
async function storeRecords(nc: NatsConnection): Promise<void> {
  const now = Date.now();
  const record =
    (table: string) =>
    ([record_id, data]: [string, object]) => ({
      ...{ user_id: user, table, record_id, op: "insert", data, ts: now },
    });
  const due = (minutes: number) => new Date(now - minutes * 60_000).toISOString();
  const withDueTimes = Object.entries(missions).map(([id, mission], i): [string, object] => [
    id,
    { ...mission, objective: `${mission.title}.`, state: "active", next_run_at: due(9 - i) },
  ]);
  await ask(nc, "changes-append", [
    ...Object.entries(agents).map(record("agents")),
    ...withDueTimes.map(record("missions")),
  ]);
  const jsm = await jetstreamManager(nc);
  for (;;) {
    const info = await jsm.consumers.info(changes.stream, changes.durable);
    if (info.num_pending === 0 && info.num_ack_pending === 0) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Plans are made while the tick goes on. */
async function untilWritten(nc: NatsConnection, plans: number): Promise<void> {
  for (;;) {
    const stats = await ask<{ mission_iterations: number }>(nc, "stats", {});
    if (stats.mission_iterations >= plans) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function outcomeOf(
  nc: NatsConnection,
  id: string,
  { agent_id, title }: { readonly agent_id: keyof typeof agents; readonly title: string },
): Promise<string> {
  const { name } = agents[agent_id];
  const { iterations } = await ask<IterationsReply>(nc, "missions-iterations", {
    ...{ user_id: user, mission_id: id },
  });
  const agent = await ask<AgentReply>(nc, "agents-get", { user_id: user, agent_id });
  const [one] = iterations;
  if (one !== undefined) {
    const actor = JSON.stringify(one.actor["display_name"]);
    return [
      `● ${title} (${name}): ran`,
      `  Plan:  ${one.summary}, ${one.overall_status}, ${one.tokens} tokens`,
      `  Actor: ${actor}, iteration ${one.iteration_id}`,
    ].join("\n");
  }
  return `○ ${title} (${name}): held back, ${reasonOf(agent)}`;
}

function reasonOf({ state, tokens_24h: used, max_tokens_per_day: most }: AgentReply): string {
  if (state !== "active") return `the agent is ${state}`;
  if (most !== null && used >= most) return `${used} tokens of at most ${most} a day are used`;
  return "its agent is busy";
}

async function ask<Reply>(nc: NatsConnection, endpoint: string, request: object): Promise<Reply> {
  const subject = endpointSubject(endpoint);
  const reply = await nc.request(subject, JSON.stringify(request), { timeout: 10_000 });
  const error = reply.headers?.get("Nats-Service-Error");
  if (error) throw new Error(`${subject}: ${error}`);
  return reply.json<Reply>();
}
