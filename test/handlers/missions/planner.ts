import type { NatsConnection } from "@nats-io/transport-node";

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
