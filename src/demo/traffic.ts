/** Half an hour in the life of four agents, as events: mostly well, and each with a failing of its own. */

interface DemoEvent {
  readonly event_id: string;
  readonly ts: string;
  readonly agent_id: string;
  readonly task_type: string;
  readonly [field: string]: unknown;
}

const minuteMs = 60_000;
const spanMs = 30 * minuteMs;

/** What one agent does every so often; `at` is the minute, `turn` counts its events. */
interface Habit {
  readonly agent: string;
  readonly task: string;
  readonly everyMs: number;
  readonly outcome: (turn: number) => Record<string, unknown>;
}

const fine = (latency_ms: number, more: Record<string, unknown> = {}) => ({
  llm: { provider: "openai", model: "gpt-4o", latency_ms, tokens_in: 412, tokens_out: 96 },
  result: { ok: true },
  ...more,
});
const failed = (error_class: string, error_message: string, more: Record<string, unknown>) => ({
  llm: { provider: "openai", model: "gpt-4o", latency_ms: 900, tokens_in: 380, tokens_out: 40 },
  result: { ok: false, error_class, error_message },
  ...more,
});

const habits: readonly Habit[] = [
  {
    agent: "shop-assistant",
    task: "checkout",
    everyMs: 9_000,
    outcome: (turn) => {
      if (turn % 9 === 4) {
        const message = `amount ${100 + turn}.00 does not match cart total ${90 + turn}.50`;
        return failed("amount does not match cart total", message, { tool: { name: "pay" } });
      }
      return fine(1_200, { tool: { name: turn % 2 ? "get_cart" : "list_offers" } });
    },
  },
  {
    agent: "researcher",
    task: "summarise",
    everyMs: 14_000,
    outcome: (turn) => {
      if (turn % 11 === 7) {
        const message = `prompt has ${128_000 + turn * 31} tokens, the model takes 128000`;
        return failed("context_length_exceeded", message, {});
      }
      const served = { provider: "anthropic", model: "claude-long", latency_ms: 2_300 };
      return turn % 3 === 0 ? { llm: served, result: { ok: true } } : fine(1_900);
    },
  },
  {
    agent: "support",
    task: "answer_ticket",
    everyMs: 12_000,
    outcome: (turn) => {
      if (turn % 12 === 5) {
        return fine(400, {
          policy: { sowa_decision: "SILENT", reason: "low confidence" },
          feedback: { user_signal: "retry" },
        });
      }
      if (turn % 17 === 3) return failed(`http_429`, `retry after ${turn} s`, {});
      return fine(1_500, { feedback: { user_signal: "positive" } });
    },
  },
  {
    agent: "planner",
    task: "route",
    everyMs: 20_000,
    outcome: (turn) =>
      fine(turn % 8 === 2 ? 7_400 : 1_100, {
        tool: { name: turn % 8 === 2 ? "maps" : "calendar" },
      }),
  },
];

/** In the order of their time, ending now. */
export function demoTraffic(now: number): DemoEvent[] {
  const events = habits.flatMap(({ agent, task, everyMs, outcome }) =>
    Array.from({ length: Math.floor(spanMs / everyMs) }, (_, turn) => ({
      event_id: `demo-${agent}-${turn}`,
      ts: new Date(now - spanMs + turn * everyMs).toISOString(),
      source: "demo",
      agent_id: agent,
      task_type: task,
      run_id: `${agent}-${Math.floor(turn / 6)}`,
      ...outcome(turn),
    })),
  );
  return events.sort((a, b) => (a.ts < b.ts ? -1 : a.ts > b.ts ? 1 : 0));
}
