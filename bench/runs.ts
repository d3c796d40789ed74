import postgres from "postgres";
import { attemptsBucket, bucketStream, runs } from "../src/subjects.ts";
import {
  type AgainstBoth,
  againstBoth,
  compareWithCeiling,
  removeStream,
} from "./against-ceiling.ts";
import { databaseLimit } from "./database-limit.ts";
import type { Part } from "./part.ts";
import { fillStream, median, type Rig, startContender } from "./rig.ts";
import { runEventsOf } from "./row-events.ts";
import { freePort } from "./service-metrics.ts";

export interface RunFigures extends AgainstBoth {
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
    await fillStream(rig, runs.stream, runEventsOf(messages, options.runs), runs.subject);
    const against = await compareWithCeiling(rig, {
      ...{ what: "runs", stream: runs.stream, messages, rounds, log },
      async start() {
        const port = await freePort();
        return { child: startService(rig, port), durable: runs.durable, port };
      },
      database: () => databaseLimit(rig, { part: "runs", messages, keys: options.runs }),
      finish: () => checkAndClear(rig, sql, messages),
    });
    return { messages, runs: options.runs, ...against };
  } finally {
    await sql.end();
  }
}

export function runPromises({ rates, ofDatabase }: RunFigures) {
  return [
    {
      ...{ promise: "runs >= 0.6 x PostgreSQL's own limit", limit: 0.6 },
      measured: median(ofDatabase),
    },
    { promise: "runs >= 8,000 events/s", limit: 8_000, measured: median(rates) },
  ];
}

function startService({ natsUrl, databaseUrl }: Rig, port: number) {
  return startContender("../dist/main.js", {
    NATS_URL: natsUrl,
    LEARNER_DATABASE_URL: databaseUrl,
    HTTP_PORT: String(port),
  });
}

/** Every event is there, and no run has a gap. The next round begins as if there had been none. */
async function checkAndClear(rig: Rig, sql: postgres.Sql, messages: number): Promise<void> {
  const [found] = await sql<{ events: number; gaps: number }[]>`
    SELECT sum(counted.events)::int AS events,
      count(*) FILTER (WHERE counted.events <> run.last_cursor)::int AS gaps
    FROM agent_runs AS run
    JOIN (SELECT run_id, count(*) AS events FROM agent_events GROUP BY run_id) AS counted
      USING (run_id)`;
  if (found?.events !== messages || found.gaps > 0) {
    throw new Error(`${JSON.stringify(found)} of ${messages} events`);
  }
  await sql`TRUNCATE agent_runs, agent_events, stream_positions`;
  // A reader that opens at the same position again and again suspects that what comes first kills it, and goes slowly.
  await rig.jsm.streams.purge(bucketStream(attemptsBucket(runs.durable)));
}

export const runsPart: Part<RunFigures> = {
  name: "runs",
  measure: ({ rig, quick, rounds, log }) =>
    measureRuns(rig, { messages: quick ? 2_000 : 100_000, runs: 500, rounds, log }),
  promises: runPromises,
  report: (figures) => [
    `Runs, ${figures.messages} events of ${figures.runs} runs: ${againstBoth(figures)}`,
  ],
};
