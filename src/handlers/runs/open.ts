import { orNull } from "../../nats/errors.ts";
import { namesOf } from "../../runtime/consumers.ts";
import type { Dependencies } from "../../runtime/dependencies.ts";
import { unsetTimeOf } from "../../runtime/metrics.ts";
import { runs as names, positionName } from "../../subjects.ts";
import type { ConcernContext, RunningConcern } from "../concern.ts";
import { openSoleReader } from "../sole-reader.ts";
import { runs } from "./endpoints.ts";
import { openRunStreams } from "./follow.ts";
import { reaper, runRemoval } from "./maintenance.ts";
import { openRunsUpkeep } from "./maintenance-store.ts";
import type { RunMetrics } from "./metrics.ts";
import { openRunNews } from "./news.ts";
import type { RunSettings } from "./settings.ts";
import { openRuns } from "./store.ts";

/** Runs, event by event, to be read again and followed. */
export async function openRunRecords(
  context: ConcernContext<RunSettings, RunMetrics>,
): Promise<RunningConcern> {
  const { opened, settings, metrics, log } = context;
  const { nc, jsm, database } = opened;
  const { durable, attempts, lease, positions, probeKv } = await openSoleReader(
    context,
    names.durable,
  );
  const store = openRuns(database);
  const upkeep = openRunsUpkeep(database);
  const news = openRunNews(nc);
  const runStreams = openRunStreams({ runs: store, news, metrics, log });
  return {
    parts: [
      runs({
        ...namesOf(durable),
        ...{ store, news, maxFutureMs: settings.maxFutureSeconds * 1_000, metrics },
        onUnsetTime: unsetTimeOf(metrics, names.stream),
        advance: ({ sequence, streamCreated }) =>
          positions.advance(positionName(names.durable, names.stream, streamCreated), sequence),
      }),
    ],
    durables: [
      {
        wanted: durable,
        // Only starts that ended with the process count: what is refused is refused at once.
        maxDeliver: settings.sourceMaxDeliver,
        attempts,
        ordered: { lease, positions },
      },
    ],
    maintenance: [
      reaper({
        ...{ store: upkeep, staleSeconds: settings.runStaleSeconds, news, metrics, log },
        isCaughtUp: () => isCaughtUp(jsm, namesOf(durable)),
      }),
      runRemoval(upkeep, settings.runRetentionDays, log),
    ],
    probeKv,
    async updateGauges() {
      const counts = await store.countByStatus();
      metrics.runs.reset();
      for (const [status, count] of Object.entries(counts)) metrics.runs.set({ status }, count);
    },
    runStreams,
    stop: () => lease.stop(),
  };
}

/** Nothing of the stream waits to be stored. */
async function isCaughtUp(
  jsm: Dependencies["jsm"],
  { stream, durable }: { stream: string; durable: string },
): Promise<boolean> {
  const info = await orNull(() => jsm.consumers.info(stream, durable));
  return info !== null && info.num_pending === 0 && info.num_ack_pending === 0;
}
