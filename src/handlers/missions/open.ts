import { BusError } from "../../errors.ts";
import { namesOf } from "../../runtime/consumers.ts";
import type { Upkeep } from "../../runtime/maintenance.ts";
import { changes as names } from "../../subjects.ts";
import { openAttempts, probeAttempts } from "../attempts.ts";
import type { ConcernContext, RunningConcern } from "../concern.ts";
import { openClaims } from "./claims.ts";
import { openInputs } from "./decryption.ts";
import { missionEndpoints } from "./endpoints.ts";
import { experienceTeller } from "./experience.ts";
import { changes } from "./ingest.ts";
import { openIterations } from "./iterations.ts";
import { lessonRecall } from "./lessons.ts";
import type { MissionMetrics } from "./metrics.ts";
import { openOutbox, outboxUpkeep, tokenRemoval } from "./outbox.ts";
import { openOverview } from "./overview.ts";
import { openPlanner } from "./planners.ts";
import { readPrivateKey } from "./private-key.ts";
import { openRunner, type Runner } from "./runner.ts";
import type { MissionSettings } from "./settings.ts";
import { openSnapshots } from "./store.ts";
import { openWork } from "./work.ts";

type MissionContext = ConcernContext<MissionSettings, MissionMetrics>;

export async function openMissions(context: MissionContext): Promise<RunningConcern> {
  const { opened, settings, metrics, desired } = context;
  const { js, database } = opened;
  const maxDeliver = settings.sourceMaxDeliver;
  const attempts = await openAttempts(context, names.durable);
  const snapshots = openSnapshots(database);
  const iterations = openIterations(database);
  const overview = openOverview(database);
  const outbox = openOutbox(js, iterations, metrics);
  const runner = openRunning(context, { snapshots, iterations, outbox });
  const parts = desired.durables.map((durable) =>
    changes({ source: namesOf(durable), js, snapshots, metrics }),
  );
  return {
    parts: [{ endpoints: missionEndpoints({ snapshots, iterations, overview, runner }) }, ...parts],
    durables: desired.durables.map((wanted) => ({ wanted, maxDeliver, attempts })),
    maintenance: [
      outboxUpkeep(iterations, outbox),
      tokenRemoval(iterations),
      ...(runner === null ? [] : [ticking(runner, settings)]),
    ],
    probeKv: () => probeAttempts(attempts),
    async updateGauges() {
      const [due, counts, violations] = await Promise.all([
        overview.due(),
        iterations.counts(),
        overview.scopeViolations(),
      ]);
      metrics.recentViolations.set(violations);
      metrics.oldestDue.set(runner === null ? 0 : due.oldestSeconds);
      metrics.outboxRows.set(counts.unpublished);
    },
    stop: async () => runner?.stop(),
  };
}

function ticking(runner: Runner, { missionTickSeconds }: MissionSettings): Upkeep {
  return {
    name: "looking for missions that are due",
    everyMs: missionTickSeconds * 1_000,
    run: (signal) => runner.tick(signal),
  };
}

/** Null: no planner is set. */
function openRunning(
  { opened, settings, metrics, log, onFatal, instance }: MissionContext,
  stores: Pick<Parameters<typeof openWork>[0], "iterations" | "outbox"> & {
    readonly snapshots: ReturnType<typeof openSnapshots>;
  },
): Runner | null {
  const { nc, js, database } = opened;
  const planner = openPlanner(settings, nc);
  if (planner === null) return null;
  const { snapshots, iterations, outbox } = stores;
  const claims = openClaims(database);
  const privateKey = readPrivateKey(settings);
  if (typeof privateKey === "string") throw new BusError("bad_request", privateKey);
  const { subject: subjects = "agent.experience.v1.>" } = settings as { readonly subject?: string };
  const [claimSeconds, tickMs] = [
    settings.missionClaimSeconds,
    settings.missionTickSeconds * 1_000,
  ];
  const work = openWork({
    ...{ planner, claims, iterations, outbox, metrics, log, tickMs },
    inputs: openInputs({ database, snapshots, privateKey, metrics }),
    recall: lessonRecall(nc, log),
    tell: experienceTeller(js, subjects, log),
    claimMs: claimSeconds * 1_000,
    timeoutMs: settings.missionPlannerTimeoutSeconds * 1_000,
  });
  return openRunner({
    ...{ claims, work, metrics, log, onFatal, holder: instance, claimSeconds, tickMs },
    parallel: settings.missionParallel,
  });
}
