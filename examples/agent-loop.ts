/**
 * An agent that asks before it acts, and tells how it went:
 *
 *     npm run build && npx tsx examples/agent-loop.ts
 *
 * Prints, with a service at BUS_URL that has learned nothing of this agent yet:
 *
 *     run 1: nothing is known; failed
 *     run 2: nothing is known; failed
 *     run 3: nothing is known; failed
 *     run 4: told that in task order-status, find_order failed with "timeout_error" …; worked
 */
import { setTimeout as wait } from "node:timers/promises";
import { createClient } from "experience-bus/client";

const token = process.env["BUS_TOKEN"];
const bus = createClient({
  url: process.env["BUS_URL"] ?? "http://127.0.0.1:9109",
  ...(token !== undefined && { token }),
});
const agent = { agent_id: process.env["AGENT_ID"] ?? "order-desk", task_type: "order-status" };
const tool = "find_order";
const session = crypto.randomUUID();

/** Stands for a model and its tools: it fails until it knows better. */
function work(block: string) {
  return block === "" ? { ok: false, error_class: "TimeoutError" } : { ok: true };
}

for (let run = 1; run <= 4; run++) {
  const run_id = `${session}-${run}`;
  // Within 150 ms, or empty: an agent never waits for what is known.
  const { block } = await bus.recall({ ...agent, tool, run_id });
  const result = work(block);
  await bus.publish({ ...agent, run_id, tool: { name: tool }, result });
  await bus.outcome({ run_id, success: result.ok });
  const fact = block.split("\n").find((line) => line.startsWith("- "));
  const told = fact === undefined ? "nothing is known" : `told that ${fact.slice(2)}`;
  console.log(`run ${run}: ${told}; ${result.ok ? "worked" : "failed"}`);
  if (run === 3) await learned();
}

/** Until the three failures have become a lesson: two seconds at most on a machine that is not busy. */
async function learned(): Promise<void> {
  for (let tries = 0; tries < 100; tries++) {
    if ((await bus.recall({ ...agent, tool })).block !== "") return;
    await wait(200);
  }
  throw new Error("nothing was learned: is the service there, and its database?");
}
