import type { BenchEvent } from "./events.ts";

/** Signals over all users in turn, some 300 bytes each: half syncs, a fifth feedback, the rest of other types. */
export function* signalsOf(count: number, users: number): Generator<BenchEvent> {
  for (let i = 0; i < count; i++) yield signalOf(i, `user-${(i * 7_919) % users}`);
}

const subjects = ["task.synced", "tip.feedback", "task.synced", "page.opened", "task.synced"];

export function signalOf(i: number, userId: string): BenchEvent {
  const subject = i % 10 === 9 ? "search.made" : (subjects[i % subjects.length] ?? "");
  const event = {
    event_id: `signal-${i}`,
    user_id: userId,
    tenant_id: "default",
    schema_version: 1,
    producer: "bench",
    payload: {
      source: "todoist",
      tasks: ["t-1", "t-2", "t-3"],
      feedback: i % 3 === 0 ? "positive" : "dismissed",
      session: "8f14e45f-ceea-4677-b0a1-6f3a5a1c1f7e",
      note: "x".repeat(60),
    },
  };
  return { subject, payload: Buffer.from(JSON.stringify(event)) };
}

/** Events over all runs in turn, some 400 bytes each. */
export function* runEventsOf(count: number, runs: number): Generator<BenchEvent> {
  for (let i = 0; i < count; i++) {
    const run_id = `run-${i % runs}`;
    const data = { text: "x".repeat(250), step: Math.floor(i / runs), model: "gpt-4o" };
    const event = { event_id: `e-${i}`, run_id, agent_id: "airline", type: "token", data };
    yield { subject: run_id, payload: Buffer.from(JSON.stringify(event)) };
  }
}
