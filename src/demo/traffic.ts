/** Half an hour in the life of four agents, as events: mostly well, and each with a failing of its own. */

interface DemoEvent {
  readonly event_id: string;
  readonly ts: string;
  readonly agent_id: string;
  readonly task_type: string;
  readonly run_id: string;
  readonly [field: string]: unknown;
}

const minuteMs = 60_000;
export const demoSpanMs = 30 * minuteMs;

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
  return eventsBetween(now - demoSpanMs, now - demoSpanMs, now);
}

/** What happens from one time to another in a life that began at `beganAt`: the same, however it is cut. Epoch ms. */
export function eventsBetween(beganAt: number, from: number, to: number): DemoEvent[] {
  const events = habits.flatMap(({ agent, task, everyMs, outcome }) => {
    const first = Math.ceil((from - beganAt) / everyMs);
    const end = Math.ceil((to - beganAt) / everyMs);
    return Array.from({ length: Math.max(end - first, 0) }, (_, index) => {
      const turn = first + index;
      return {
        event_id: `demo-${agent}-${turn}`,
        ts: new Date(beganAt + turn * everyMs).toISOString(),
        source: "demo",
        agent_id: agent,
        task_type: task,
        run_id: `${agent}-${Math.floor(turn / turnsOfRun)}`,
        ...outcome(turn),
      };
    });
  });
  return events.sort((a, b) => (a.ts < b.ts ? -1 : a.ts > b.ts ? 1 : 0));
}

const turnsOfRun = 6;

interface RunStep {
  readonly run_id: string;
  readonly event_id: string;
  readonly agent_id: string;
  readonly type: string;
  readonly ts: string;
  readonly data: unknown;
}

/** The same life as steps of runs: each event is one, the last of a run ends it. */
export function runSteps(event: DemoEvent): RunStep[] {
  const { run_id, event_id, agent_id, ts, task_type, tool, llm, result } = event;
  const turn = Number(event_id.split("-").at(-1)) % turnsOfRun;
  const step = (type: string, data: unknown): RunStep => ({
    ...{ run_id, event_id: `${event_id}-${type}`, agent_id, type, ts, data },
  });
  return [
    ...(turn === 0 ? [step("run_started", { question: `A new ${task_type}` })] : []),
    step(tool === undefined ? "model_call" : "tool_call", { tool, llm, result }),
    ...(turn === turnsOfRun - 1 ? [step("run_completed", {})] : []),
  ];
}
