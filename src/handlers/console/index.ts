import { publish } from "../../nats/grants.ts";
import { counts as names, pingSubject } from "../../subjects.ts";
import type { ConcernDeclaration } from "../concern.ts";
import { type ConsoleMetrics, consoleMetrics } from "./metrics.ts";
import { type AllConsoleSettings, consoleSettings } from "./settings.ts";

/** What the console shows of a fleet besides its lessons: how often its agents fail, and how long they take. */
export const consoleConcern: ConcernDeclaration<AllConsoleSettings, ConsoleMetrics> = {
  name: "console",
  summary: "counts what agents did, minute by minute, for charts",
  // The extractor's are read by the extractor, once.
  settings: (read) => consoleSettings(read) as AllConsoleSettings,
  jetstream(settings, build) {
    const source = build.source(settings.stream, settings.subject, {
      compared: { retention: true },
    });
    return {
      streams: [source, build.attempts(names.durable, { vital: false })],
      durables: [
        build.durable(source, {
          name: names.durable,
          description: "counts what agents did, minute by minute",
          inOrder: true,
        }),
      ],
    };
  },
  endpoints: {
    "fleet-health": {
      does: "every replica with its health, and of all together the lag of each durable and the open dead letters",
      may: "read",
      get: true,
      fleet: true,
    },
    "counts-series": {
      does: "what was counted step by step, of a tenant, an `agent_id`, a `task_type`: outcomes, failure rate and latency; `since`, `until`, `step` in seconds",
      may: "read",
      get: true,
    },
    "counts-agents": {
      does: "each agent with its outcomes, failure rate and latency from `since` to `until`, and when it was last heard of",
      may: "read",
      get: true,
    },
    "counts-rebuild": {
      does: "forgets all counts, and has the stream counted again from its start",
      may: "admin",
      fleet: true,
    },
  },
  permissions: () => [publish(pingSubject, "learns which replicas there are")],
  tables: {
    // Removed when they are old, and when they are made again.
    "public.experience_counts": ["SELECT", "INSERT", "UPDATE", "DELETE"],
    "public.experience_agent_counts": ["SELECT", "INSERT", "UPDATE", "DELETE"],
    "public.experience_agents": ["SELECT", "INSERT", "UPDATE", "DELETE"],
  },
  metrics: consoleMetrics,
  open: async (context) => (await import("./open.ts")).openConsole(context),
};
