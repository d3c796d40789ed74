import { openPublications } from "../../nats/publications.ts";
import { decoderOf } from "../../schema/request.ts";
import type { ConcernContext, ConcernPart, RunningConcern } from "../concern.ts";
import { experiencePublisher } from "../extractor/publishers.ts";
import { type ExplainRequest, explained, explainReply, explainRequest } from "./explained.ts";
import { hookRoute } from "./hook-route.ts";
import type { IngestMetrics } from "./metrics.ts";
import { otlpRoutes } from "./otlp-routes.ts";
import { ingestPublisher } from "./publishers.ts";
import { runRoute } from "./run-route.ts";
import { scopeFilter } from "./scopes.ts";
import type { AllIngestSettings } from "./settings.ts";

/** Hooks and OpenTelemetry over HTTP, where they are wanted. */
export async function openIngest(
  context: ConcernContext<AllIngestSettings, IngestMetrics>,
): Promise<RunningConcern> {
  const { opened, settings, metrics, tracing, log } = context;
  const { subject } = settings;
  const publications = openPublications(opened.nc, settings.nats);
  const publisher = ingestPublisher({
    ...{ publications, subject, maxFutureMs: settings.maxFutureSeconds * 1_000 },
    events: experiencePublisher(publications, subject, tracing),
  });
  const { token, tokensFile } = settings.http;
  const isGuarded = token !== undefined || tokensFile !== undefined;
  const options = { publisher, metrics, log, isGuarded };
  const otlp = { ...options, takesScope: scopeFilter(settings.otlpScopes) };
  return {
    parts: [explainPart],
    routes: settings.ingest ? [hookRoute(options), runRoute(options), ...otlpRoutes(otlp)] : [],
  };
}

const explainPart: ConcernPart = {
  endpoints: [
    {
      name: "ingest-explain",
      request: explainRequest,
      reply: explainReply,
      decode: decoderOf(explainRequest),
      handle: async (request: ExplainRequest) => explained(request, Date.now()),
    },
  ],
};
