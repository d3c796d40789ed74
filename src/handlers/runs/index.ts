import { publish, subscribe } from "../../nats/grants.ts";
import { Type } from "../../schema/typebox.ts";
import { runs as names, runNewsSubject } from "../../subjects.ts";
import type { ConcernDeclaration } from "../concern.ts";
import { type RunMetrics, runMetrics } from "./metrics.ts";
import { type RunSettings, runSettings } from "./settings.ts";

/** Runs, event by event, to be read again and followed. */
export const runs: ConcernDeclaration<RunSettings, RunMetrics> = {
  name: "runs",
  summary: "stores the events of runs, in order, to be read again and followed",
  settings: runSettings,
  jetstream(_, build) {
    const source = build.source(names.stream, names.subject, { optional: true });
    return {
      streams: [source, build.attempts(names.durable, { vital: false })],
      durables: [
        build.durable(source, {
          name: names.durable,
          description: "stores the events of runs",
          inOrder: true,
        }),
      ],
    };
  },
  endpoints: {
    "runs-append": {
      does: "stores one event of a run, or an array of at most 1,000, and tells their cursors",
      may: "publish",
    },
    "runs-heartbeat": { does: "keeps a run alive; says whether it is", may: "publish" },
    "runs-get": { does: "one run; `not_found` where there is none", may: "read", get: true },
    "runs-list": {
      does: "runs by `agent_id`, `status`, `since`, `until`; newest first, pages by `cursor`",
      may: "read",
      get: true,
    },
    "runs-events": {
      does: "stored events of a run `after` a cursor, `limit` at most 1,000",
      may: "read",
      get: true,
    },
    "runs-latest": {
      does: "the newest event of a run, or its newest of a `type`",
      may: "read",
      get: true,
    },
  },
  tables: {
    // Removed after RUN_RETENTION_DAYS.
    "public.agent_runs": ["SELECT", "INSERT", "UPDATE", "DELETE"],
    "public.agent_events": ["SELECT", "INSERT", "DELETE"],
  },
  permissions: () => [
    publish(runNewsSubject("*"), "tells other replicas of new events"),
    subscribe(runNewsSubject("*"), "hears of new events of runs that are followed"),
  ],
  metrics: runMetrics,
  stats: {
    fields: {
      runs: Type.Record(Type.String(), Type.Integer(), { description: "kept, by status" }),
    },
    async open({ database }) {
      const { openRuns } = await import("./store.ts");
      const store = openRuns(database);
      return async () => ({ runs: await store.countByStatus() });
    },
  },
  open: async (context) => (await import("./open.ts")).openRunRecords(context),
};
