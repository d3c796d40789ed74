import type { NatsConnection } from "@nats-io/transport-node";
import { eventually } from "../../rig/eventually.ts";

/** What a planner is asked over NATS, as far as tests look at it. */
export interface Question {
  readonly mission_id: string;
  readonly agent_id: string | null;
  readonly iteration_id: string;
  readonly token: number;
  readonly due_at: string;
  readonly prompt: string;
  readonly tools: readonly { readonly name: string }[];
}

export const step = {
  summary: "look for news",
  tool_name: "search",
  params: { q: "news" },
  rationale: "it is asked for",
};
export const plan = { summary: "find the news", steps: [step], tokens_used: 10 };

/** The tick that a replica begins with is over: what becomes due now waits for the next one. */
export async function untilTicked(service: {
  http(path: string): Promise<{ readonly text: string }>;
}): Promise<void> {
  await eventually(async () => {
    const { text } = await service.http("/metrics");
    return /^mission_tick_duration_seconds_count [1-9]/m.test(text);
  });
}

/** Answers as `answer` says; null: not at all. Keeps what it was asked. */
export function startPlanner(
  nc: NatsConnection,
  answer: (question: Question) => unknown = () => plan,
): Question[] {
  const asked: Question[] = [];
  nc.subscribe("planner", {
    callback(error, message) {
      if (error) throw error;
      const question = message.json<Question>();
      asked.push(question);
      const said = answer(question);
      if (said === null) return;
      message.respond(typeof said === "string" ? said : JSON.stringify(said));
    },
  });
  return asked;
}
