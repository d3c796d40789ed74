import { orNull } from "../../nats/errors.ts";
import { openLeases } from "../../postgres/leases.ts";
import { openPositions } from "../../postgres/positions.ts";
import { namesOf } from "../../runtime/consumers.ts";
import type { Dependencies } from "../../runtime/dependencies.ts";
import { startLease } from "../../runtime/lease.ts";
import { runs as names, positionName } from "../../subjects.ts";
import { attemptsOf, type Base, type Hosted, probeAttempts } from "../hosted.ts";
import { openRunStreams } from "./follow.ts";
import { reaper, runRemoval } from "./maintenance.ts";
import { openRunsUpkeep } from "./maintenance-store.ts";
import { openRunNews } from "./notifications.ts";
import { runs } from "./record.ts";
import { openRuns } from "./store.ts";

/** Runs, event by event, to be read again and followed. */
export async function openRunRecords(base: Base): Promise<Hosted> {
  const { opened, settings, metrics, log, onFatal } = base;
  const { nc, jsm, database, wanted } = opened;
  const durable = wanted.durables.runs;
  const attempts = await attemptsOf(base, names.durable);
  const store = openRuns(database);
  const upkeep = openRunsUpkeep(database);
  const positions = openPositions(database);
  const news = openRunNews(nc);
  const runStreams = openRunStreams({ runs: store, news, metrics, log });
  const lease = startLease({
    ...{ leases: openLeases(database), name: names.durable, holder: base.instance, log, onFatal },
  });
  return {
    concerns: [
      runs({
        ...namesOf(durable),
        ...{ store, news, maxFutureMs: settings.maxFutureSeconds * 1_000, metrics },
        advance: ({ sequence, streamCreated }) =>
          positions.advance(positionName(names.durable, names.stream, streamCreated), sequence),
      }),
    ],
    durables: [
      {
        wanted: durable,
        // Only starts that ended with the process count: what is refused is refused at once.
        maxDeliver: settings.featureMaxDeliver,
        attempts,
        ordered: { lease, positions },
      },
    ],
    upkeeps: [
      reaper({
        ...{ store: upkeep, staleSeconds: settings.runStaleSeconds, news, metrics, log },
        isCaughtUp: () => isCaughtUp(jsm, namesOf(durable)),
      }),
      runRemoval(upkeep, settings.runRetentionDays, log),
    ],
    probeKv: () => probeAttempts(attempts),
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
