import { publish } from "../../nats/grants.ts";
import { runs } from "../../subjects.ts";
import type { ConcernDeclaration } from "../concern.ts";
import { type IngestMetrics, ingestMetrics } from "./metrics.ts";
import { type AllIngestSettings, ingestSettings } from "./settings.ts";

/** Ways in for agents that record what they do already: hooks and OpenTelemetry, over HTTP. */
export const ingest: ConcernDeclaration<AllIngestSettings, IngestMetrics> = {
  name: "ingest",
  summary: "takes hooks of coding agents and OpenTelemetry over HTTP",
  settings: (read) => ingestSettings(read) as AllIngestSettings,
  endpoints: {
    "ingest-explain": {
      does: "what a `span`, a `log` record or a `hook` means, or why it does not count; stores nothing",
      may: "read",
    },
  },
  permissions: ({ ingest: isOn, subject }) =>
    isOn
      ? [
          publish(subject, "stores events that come by request"),
          publish(runs.subject, "stores what telemetry tells of runs"),
        ]
      : [],
  metrics: ingestMetrics,
  open: async (context) => (await import("./open.ts")).openIngest(context),
};
