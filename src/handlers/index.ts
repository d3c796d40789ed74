import type { AnyConcern } from "./concern.ts";
import { consoleConcern } from "./console/index.ts";
import { deadletters } from "./deadletters/index.ts";
import { effects } from "./effects/index.ts";
import { extractor } from "./extractor/index.ts";
import { features } from "./features/index.ts";
import { history } from "./history/index.ts";
import { ingest } from "./ingest/index.ts";
import { lessons } from "./lessons/index.ts";
import { memory } from "./memory/index.ts";
import { missions } from "./missions/index.ts";
import { review } from "./review/index.ts";
import { runs } from "./runs/index.ts";
import { windows } from "./windows/index.ts";

/** Every concern that a replica can host. A new one is its folder and a line here. */
export const concerns: readonly AnyConcern[] = [
  extractor,
  windows,
  features,
  ingest,
  runs,
  deadletters,
  lessons,
  effects,
  history,
  review,
  memory,
  missions,
  consoleConcern,
];

export const concernNames: readonly string[] = concerns.map(({ name }) => name);
