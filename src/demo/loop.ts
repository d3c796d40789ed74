import { createHash } from "node:crypto";
import { setTimeout as wait } from "node:timers/promises";
import { jetstream } from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/transport-node";
import { messageIdOf } from "../handlers/extractor/identity.ts";
import type { RecallReply } from "../handlers/lessons/wire.ts";
import { endpointSubject, experienceSubject } from "../subjects.ts";

/** After the lessons, the loop: the agent that failed asks before it acts, and a coin decides which of its runs are told. */

const runs = 120;
const atOnce = 10;
const agentId = "shop-assistant";
const about = { agent_id: agentId, task_type: "checkout", tool: "pay" };
/** How often a run of this agent fails that was told nothing, and one that was told. Made up, as all of the demo's traffic. */
const failing = { without: 0.6, with: 0.15 };
const patienceMs = 15_000;

interface Arm {
  runs: number;
  failed: number;
}

/** Lines for people: what the agent is told, and how often its runs failed with it and without. */
export async function showLoop(nc: NatsConnection, subjects: string): Promise<string> {
  const { block } = await untilKnown(nc);
  if (block === "") return "No lesson was handed out: the loop is not shown.";
  const arms = { told: { runs: 0, failed: 0 }, untold: { runs: 0, failed: 0 } };
  const js = jetstream(nc);
  async function one(number: number): Promise<void> {
    const runId = `asking-${number}`;
    const { lessons, held_out: heldOut, recorded } = await recall(nc, { run_id: runId });
    const isTold = lessons.length > 0;
    const hasFailed = chance(runId) < (isTold ? failing.with : failing.without);
    const event = eventOf(runId, hasFailed);
    const identity = { tenantId: "default", agentId, eventId: event.event_id };
    await js.publish(experienceSubject(subjects, agentId), JSON.stringify(event), {
      msgID: messageIdOf(identity),
    });
    // Only those count whose arm is on record.
    if (!recorded || (!isTold && heldOut === 0)) return;
    const arm: Arm = isTold ? arms.told : arms.untold;
    arm.runs++;
    if (hasFailed) arm.failed++;
  }
  for (let start = 0; start < runs; start += atOnce) {
    await Promise.all(Array.from({ length: atOnce }, (_, i) => one(start + i)));
  }
  return [
    `\nWhat ${agentId} is told when it asks before it pays:\n`,
    ...block.split("\n").map((line) => `  ${line}`),
    `\n${runs} more runs of it asked first; a coin decided which of them were told:`,
    `  with the lesson:    ${rateOf(arms.told)}`,
    `  without the lesson: ${rateOf(arms.untold)}`,
  ].join("\n");
}

async function recall(nc: NatsConnection, more: object = {}): Promise<RecallReply> {
  const request = JSON.stringify({ ...about, ...more });
  const reply = await nc.request(endpointSubject("lessons-recall"), request, { timeout: 10_000 });
  return reply.json<RecallReply>();
}

/** Recall knows a lesson within two seconds on a machine that is not busy. */
async function untilKnown(nc: NatsConnection): Promise<RecallReply> {
  const giveUpAt = performance.now() + patienceMs;
  for (;;) {
    const reply = await recall(nc);
    if (reply.block !== "" || performance.now() > giveUpAt) return reply;
    await wait(100);
  }
}

function eventOf(runId: string, hasFailed: boolean) {
  const error = { error_class: "amount does not match cart total" };
  return {
    ...{ event_id: `demo-${runId}`, run_id: runId, source: "demo" },
    ...{ agent_id: agentId, task_type: about.task_type, tool: { name: about.tool } },
    result: hasFailed ? { ok: false, ...error } : { ok: true },
  };
}

/** The same for a run in each demo, from 0 up to 1. */
function chance(runId: string): number {
  return createHash("sha256").update(runId).digest().readUInt32BE(0) / 2 ** 32;
}

function rateOf({ runs: count, failed }: Arm): string {
  if (count === 0) return "no run";
  return `${failed} of ${count} runs failed (${Math.round((100 * failed) / count)} %)`;
}
