import type { ConcernName } from "../settings/index.ts";
import { deadletters } from "./deadletters/endpoints.ts";
import { openExtractor } from "./extractor/index.ts";
import { openUserFeatures } from "./features/index.ts";
import type { Base, Hosted } from "./hosted.ts";
import { openRunRecords } from "./runs/index.ts";

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
