import type { AnyConcern, ConcernPart, RunningConcern } from "./handlers/concern.ts";
import { openDeadLetterArchive } from "./handlers/deadletters/archive.ts";
import { desiredBy, endpointsOf, hostedConcerns } from "./handlers/derived.ts";
import { healthSources, statsSources } from "./handlers/health/checks.ts";
import { checkHealth, health } from "./handlers/health/index.ts";
import { openGauges } from "./handlers/stats/gauges.ts";
import { stats } from "./handlers/stats/index.ts";
import type { ServedEndpoint } from "./http/api.ts";
import { nats } from "./nats/errors.ts";
import { type FindSchemas, openCatalogue } from "./runtime/catalogue.ts";
import type { RunningConsumer } from "./runtime/consumer.ts";
import { namesOf, startConsumers } from "./runtime/consumers.ts";
import { type Dependencies, waitFor } from "./runtime/dependencies.ts";
import { type RunningEndpoints, startEndpoints } from "./runtime/endpoint.ts";
import { type Forward, forwardBy } from "./runtime/forward.ts";
import { startUpkeep } from "./runtime/maintenance.ts";
import type { Metrics } from "./runtime/metrics.ts";
import type { Tracing } from "./runtime/tracing.ts";
import type { ServiceOptions } from "./service.ts";
import { version } from "./version.ts";

export type Mounted = Awaited<ReturnType<typeof mount>>;

/** The whole service in one place: what it stands on, its concerns, and how they are run. */
export async function mount(
  opened: Dependencies,
  options: ServiceOptions & { readonly known: readonly AnyConcern[] },
  metrics: Metrics,
  tracing: Tracing | null,
) {
  const { settings, log, signal, onFatal, known } = options;
  const { nc, js, jsm, needs } = opened;
  const endpoints = await startEndpoints({
    nc,
    version,
    log,
    tracing,
    onStopped: (error) => onFatal(error ?? new Error("the micro service stopped by itself")),
  });
  const { instance } = endpoints;
  const { durables } = needs.everything;
  const archive = openDeadLetterArchive({
    js,
    jsm,
    sourceSubjects: durables.map(({ config }) => config.filter_subject),
    durables: durables.map(namesOf),
  });
  const whenThere = <T>(attempt: () => Promise<T>) =>
    waitFor("NATS", log, signal, () => nats(attempt));
  const context = {
    opened,
    settings,
    metrics,
    tracing,
    log,
    onFatal,
    archive,
    instance,
    whenThere,
  };
  const declared = hostedConcerns(settings, known);
  const hosted: RunningConcern[] = await Promise.all(
    declared.map((one) => one.open({ ...context, desired: desiredBy(one, settings) })),
  );

  const consumers = new Map<string, RunningConsumer>();
  const probeKv = async () => {
    await Promise.all(hosted.map((one) => one.probeKv?.()));
  };
  const sources = healthSources(opened, probeKv, archive, instance, consumers);
  const parts = [
    ...hosted.flatMap((one) => one.parts),
    health(sources),
    stats(await statsSources(opened, settings, known, instance, archive, metrics)),
  ];
  startConsumers(
    consumers,
    parts.flatMap(({ consumptions = [] }) => consumptions),
    { ...context, durables: hosted.flatMap((one) => one.durables ?? []) },
  );
  const maintenance = hosted
    .flatMap((one) => one.maintenance ?? [])
    .map((task) => startUpkeep(task, { log, onFatal }));
  mountEndpoints(endpoints, declared, parts);
  // A client that is told that we are ready must be able to reach us: the server has our subscriptions.
  await whenThere(() => nc.flush());

  const forward = forwardBy(nc, log);
  return {
    instance,
    endpoints: servedEndpoints(endpoints, { forward, find: openCatalogue(nc, log) }, known),
    forward,
    hasConsole: declared.some(({ name }) => name === "console"),
    routes: hosted.flatMap(({ routes = [] }) => routes),
    runStreams: hosted.map(({ runStreams }) => runStreams).find((one) => one !== undefined) ?? null,
    health: () => checkHealth(sources),
    updateGauges: openGauges({
      metrics,
      log,
      health: () => checkHealth(sources),
      concerns: hosted.flatMap(({ updateGauges }) => (updateGauges ? [updateGauges] : [])),
    }),
    async stop(deadlineMs: number) {
      const stopped = [...consumers.values()].map((consumer) => consumer.stop(deadlineMs));
      await Promise.all([endpoints.stop(), ...maintenance.map((one) => one.stop()), ...stopped]);
      await Promise.all(hosted.map((one) => one.stop?.()));
    },
  };
}

/** Mounts each endpoint as its concern declares it. One without a handler, or the reverse, is a bug. */
function mountEndpoints(
  endpoints: RunningEndpoints,
  declared: readonly AnyConcern[],
  parts: readonly ConcernPart[],
): void {
  const handlers = new Map(parts.flatMap((part) => part.endpoints).map((one) => [one.name, one]));
  for (const { name, subject, does } of endpointsOf(declared, endpoints.instance)) {
    const handler = handlers.get(name);
    if (handler === undefined) throw new Error(`endpoint ${name} is declared and has no handler`);
    handlers.delete(name);
    endpoints.mount({ ...handler, subject, description: does });
  }
  if (handlers.size > 0)
    throw new Error(`not declared: endpoint ${[...handlers.keys()].join(", ")}`);
}

/** Every endpoint that there is: asked here where it is hosted, of another replica where it is not. */
function servedEndpoints(
  endpoints: RunningEndpoints,
  others: { readonly forward: Forward; readonly find: FindSchemas },
  known: readonly AnyConcern[],
): ServedEndpoint[] {
  return endpointsOf(known, endpoints.instance).map((one) => {
    const { name, subject } = one;
    const here = endpoints.find(name);
    return here === undefined
      ? {
          ...one,
          schemas: () => others.find(name),
          call: (asked) => others.forward(subject, asked),
        }
      : { ...one, schemas: async () => here, call: here.call };
  });
}
