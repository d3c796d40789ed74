import type { BaseSettings } from "../../settings/base.ts";
import type { ExtractorSettings } from "../extractor/settings.ts";
import type { WindowSettings } from "../windows/settings.ts";
import type { LearnerSettings } from "./learner.ts";

/** History is read as the extractor and the reader of windows read it: their settings hold here, too. */
export type HistorySettings = BaseSettings & ExtractorSettings & WindowSettings;

/** What a back-test can try other values of. */
export type Tried = Partial<
  Pick<
    HistorySettings,
    | "windowSeconds"
    | "errorThreshold"
    | "silentThreshold"
    | "latencyThreshold"
    | "latencySpikeMs"
    | "toolLatencySpikeMs"
    | "countBy"
    | "fleetAgents"
    | "slowRuns"
    | "slowWindowDays"
  >
>;

const dayMs = 86_400_000;

/** As these settings have the service learn, lessons of fleets and of slow failures included. */
export function learnerSettings(settings: ExtractorSettings & WindowSettings): LearnerSettings {
  const { windowSeconds, slowWindowDays, slowRuns, fleetAgents, countBy } = settings;
  return {
    ...{ windowMs: Math.round(windowSeconds * 1_000), slowWindowMs: slowWindowDays * dayMs },
    ...{ slowRuns, fleetAgents, countBy, finds: { fleet: true, slow: true } },
  };
}
