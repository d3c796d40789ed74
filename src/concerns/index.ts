import { deadletters } from "../handlers/deadletters.ts";
import type { ConcernName } from "../settings.ts";
import { openExtractor } from "./extractor.ts";
import { openUserFeatures } from "./features.ts";
import type { Base, Hosted } from "./hosted.ts";
import { openRunRecords } from "./runs.ts";

/** How each concern is opened. A new one is a line here, its name in the settings, and what it needs in `wanted.ts`. */
export const openConcern: Readonly<Record<ConcernName, (base: Base) => Promise<Hosted>>> = {
  extractor: openExtractor,
  features: openUserFeatures,
  runs: openRunRecords,
  deadletters: openDeadLetters,
};

async function openDeadLetters({ archive, metrics, log }: Base): Promise<Hosted> {
  return {
    concerns: [deadletters({ archive, metrics, log })],
    durables: [],
    upkeeps: [],
    probeKv: () => Promise.resolve(),
  };
}
