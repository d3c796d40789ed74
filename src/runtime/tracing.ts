import type { Span, TextMapPropagator, Tracer } from "@opentelemetry/api";
import type { SpanExporter } from "@opentelemetry/sdk-trace-base";
import type { Logger } from "../log.ts";
import type { TracingSettings } from "../settings/index.ts";
import { version } from "../version.ts";

/** What spans are made with. Only the runtime makes them; no concern knows of traces. */
export interface Tracing {
  readonly tracer: Tracer;
  /** W3C Trace Context. */
  readonly propagator: TextMapPropagator;
  /**
   * By an event or a request as it was decoded: the span that what is published because of it continues.
   * So what lies between the message and the publication need not carry it.
   */
  readonly causes: WeakMap<object, { readonly span: Span | undefined }>;
  /** Exports what has ended by then. It may wait for the exporter's timeout: the caller sets the limit. */
  stop(): Promise<void>;
}

/** The first batch that cannot be exported is reported at once, later ones together once in a while. */
const reportEveryMs = 60_000;

/**
 * Loads the OpenTelemetry SDK, and only here. Sampler, limits, resource attributes and what else has a
 * standard name (`OTEL_TRACES_SAMPLER`, `OTEL_BSP_*`, `OTEL_EXPORTER_OTLP_HEADERS`…) the SDK reads itself.
 * At most `OTEL_BSP_MAX_QUEUE_SIZE` spans wait for export; what does not fit is dropped.
 */
export async function startTracing(settings: TracingSettings, log: Logger): Promise<Tracing> {
  const [{ W3CTraceContextPropagator }, resources, sdk, ...exporters] = await Promise.all([
    import("@opentelemetry/core"),
    import("@opentelemetry/resources"),
    import("@opentelemetry/sdk-trace-base"),
    ...settings.exporters.map((exporter) => exporterFor(exporter, settings)),
  ]);
  const { detectResources, envDetector, resourceFromAttributes } = resources;
  const ours = { "service.name": settings.serviceName, "service.version": version };
  const provider = new sdk.BasicTracerProvider({
    // What the environment says of itself comes later and wins.
    resource: resourceFromAttributes(ours).merge(detectResources({ detectors: [envDetector] })),
    spanProcessors: exporters.map(
      (exporter) => new sdk.BatchSpanProcessor(reportingFailures(exporter, log)),
    ),
  });
  return {
    tracer: provider.getTracer("experience-bus", version),
    propagator: new W3CTraceContextPropagator(),
    causes: new WeakMap(),
    stop: () => provider.shutdown(),
  };
}

async function exporterFor(
  exporter: TracingSettings["exporters"][number],
  { protocol, url }: TracingSettings,
): Promise<SpanExporter> {
  if (exporter === "console") {
    return new (await import("@opentelemetry/sdk-trace-base")).ConsoleSpanExporter();
  }
  const { OTLPTraceExporter } =
    protocol === "http/json"
      ? await import("@opentelemetry/exporter-trace-otlp-http")
      : await import("@opentelemetry/exporter-trace-otlp-proto");
  return new OTLPTraceExporter(url === undefined ? {} : { url });
}

/** Nothing but a log line, now and then, tells of an exporter that cannot be reached. */
function reportingFailures(exporter: SpanExporter, log: Logger): SpanExporter {
  let lost = 0;
  let reportAt = Number.NEGATIVE_INFINITY;
  return {
    export(spans, done) {
      exporter.export(spans, (result) => {
        if (result.error !== undefined) {
          lost += spans.length;
          if (performance.now() >= reportAt) {
            // The error itself may hold all that the collector answered.
            const { message: why, code } = result.error as NodeJS.ErrnoException;
            log.warn({ why, code, spans: lost }, "spans could not be exported");
            reportAt = performance.now() + reportEveryMs;
            lost = 0;
          }
        }
        done(result);
      });
    },
    shutdown: () => exporter.shutdown(),
  };
}
