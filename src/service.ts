import { type Mounted, mount } from "./compose.ts";
import type { AnyConcern } from "./handlers/concern.ts";
import { metricsOf, needsOf } from "./handlers/derived.ts";
import { concerns } from "./handlers/index.ts";
import { startHttp } from "./http/server.ts";
import type { Logger } from "./log.ts";
import { type Dependencies, openDependencies } from "./runtime/dependencies.ts";
import { withTimeout } from "./runtime/timeout.ts";
import { startTracing } from "./runtime/tracing.ts";
import type { Settings } from "./settings/index.ts";

export interface ServiceOptions {
  readonly settings: Settings;
  readonly log: Logger;
  /** Ends a start that still waits for NATS or PostgreSQL. */
  readonly signal: AbortSignal;
  /** A bug, or the service stopped by itself: the process must end. */
  readonly onFatal: (error: unknown) => void;
  /** The concerns that there are; those of the service by default. */
  readonly known?: readonly AnyConcern[];
}

export interface RunningService {
  readonly instance: string;
  readonly httpPort: number;
  /**
   * Stop order: not ready; no more requests; what is in hand finished and acked; spans exported,
   * connections drained.
   * Never rejects, and takes less than ten seconds.
   */
  stop(): Promise<void>;
}

/** Of the ten seconds that a stop may take, what the batch in hand gets, and what closing gets. */
const finishMs = 6_000;
const closeMs = 1_500;

export async function startService(options: ServiceOptions): Promise<RunningService> {
  const { settings, log, signal } = options;
  const known = options.known ?? concerns;
  const metrics = metricsOf(known);
  const needs = needsOf(settings, known);
  let served: Mounted | null = null;
  const waiting = new Map<string, string>();
  const http = await startHttp(settings.httpPort, {
    ...{ settings: settings.http, metrics, log },
    served: () => served,
    whyNot: () => ["starting or stopping", ...waiting.values()],
  });
  let opened: Dependencies;
  try {
    opened = await openDependencies(settings, needs, log, signal, waiting, metrics);
  } catch (error) {
    await http.close();
    throw error;
  }
  const tracing = settings.tracing ? await startTracing(settings.tracing, log) : null;
  const mounted = await mount(opened, { ...options, known }, metrics, tracing);
  served = mounted;
  return {
    instance: mounted.instance,
    httpPort: http.port,
    async stop() {
      served = null;
      mounted.runStreams?.close();
      // A frozen broker answers no unsubscription, so none of this may be waited for without a limit.
      await within(finishMs + 500, mounted.stop(finishMs), log);
      await Promise.all([
        within(closeMs, opened.nc.drain(), log).then(() => within(500, opened.nc.close(), log)),
        within(closeMs, opened.database.close(), log),
        within(closeMs, tracing?.stop() ?? Promise.resolve(), log),
      ]);
      await http.close();
    },
  };
}

/** A link that is gone cannot be drained; the process ends anyway. */
async function within(limitMs: number, work: Promise<void>, log: Logger): Promise<void> {
  const late = new Error(`not closed within ${limitMs} ms`);
  try {
    await withTimeout(work, limitMs, () => late);
  } catch (error) {
    if (error !== late) log.warn({ err: error }, "closing a connection failed");
  }
}
