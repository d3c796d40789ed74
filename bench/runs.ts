import postgres from "postgres";
import { runs } from "../src/subjects.ts";
import {
  type AgainstCeiling,
  against,
  compareWithCeiling,
  removeStream,
} from "./against-ceiling.ts";
import type { BenchEvent } from "./events.ts";
import type { Part } from "./part.ts";
import { fillStream, median, type Rig, startContender } from "./rig.ts";

export interface RunFigures extends AgainstCeiling {
  readonly messages: number;
  readonly runs: number;
}

/** How fast events of runs are stored, against the ceiling. */
export async function measureRuns(
  rig: Rig,
  options: {
    readonly messages: number;
    readonly runs: number;
    readonly rounds: number;
    readonly log: (line: string) => void;
  },
): Promise<RunFigures> {
  const { messages, rounds, log } = options;
  const sql = postgres(rig.databaseUrl, { max: 1 });
  try {
    await removeStream(rig, runs.stream);
    await fillStream(rig, runs.stream, eventsOf(messages, options.runs), runs.subject);
    const against = await compareWithCeiling(rig, {
      ...{ what: "runs", stream: runs.stream, messages, rounds, log },
      start: () => ({ child: startService(rig), durable: runs.durable }),
      finish: () => check(sql, messages),
    });
    return { messages, runs: options.runs, ...against };
  } finally {
    await sql.end();
  }
}

export function runPromises({ rates }: RunFigures) {
  return [{ promise: "runs >= 8,000 events/s", limit: 8_000, measured: median(rates) }];
}

function startService({ natsUrl, databaseUrl }: Rig) {
  return startContender("../dist/main.js", {
    NATS_URL: natsUrl,
    LEARNER_DATABASE_URL: databaseUrl,
    HTTP_PORT: "0",
  });
}

/** Every event is there, and no run has a gap. */
async function check(sql: postgres.Sql, messages: number): Promise<void> {
  const [found] = await sql<{ events: number; gaps: number }[]>`
    SELECT sum(counted.events)::int AS events,
      count(*) FILTER (WHERE counted.events <> run.last_cursor)::int AS gaps
    FROM agent_runs AS run
    JOIN (SELECT run_id, count(*) AS events FROM agent_events GROUP BY run_id) AS counted
      USING (run_id)`;
  if (found?.events !== messages || found.gaps > 0) {
    throw new Error(`${JSON.stringify(found)} of ${messages} events`);
  }
  await sql`TRUNCATE agent_runs, agent_events`;
}

/** Over all runs in turn, some 400 bytes each. */
function* eventsOf(count: number, most: number): Generator<BenchEvent> {
  for (let i = 0; i < count; i++) {
    const run_id = `run-${i % most}`;
    const data = { text: "x".repeat(250), step: Math.floor(i / most), model: "gpt-4o" };
    const event = { event_id: `e-${i}`, run_id, agent_id: "airline", type: "token", data };
    yield { subject: run_id, payload: Buffer.from(JSON.stringify(event)) };
  }
}

export const runsPart: Part<RunFigures> = {
  name: "runs",
  measure: ({ rig, quick, rounds, log }) =>
    measureRuns(rig, { messages: quick ? 2_000 : 100_000, runs: 500, rounds, log }),
  promises: runPromises,
  report: (figures) => [
    `Runs, ${figures.messages} events of ${figures.runs} runs: ${against(figures)}`,
  ],
};
