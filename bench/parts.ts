import { consolePart } from "./console.ts";
import { costsPart } from "./costs.ts";
import { delayPart } from "./delay.ts";
import { featuresPart } from "./features.ts";
import { historyPart } from "./history.ts";
import { hookPart } from "./hook.ts";
import { ingestPart } from "./ingest.ts";
import { memoryPart } from "./memory.ts";
import { memoryRecallPart } from "./memory-recall.ts";
import { missionsPart } from "./missions.ts";
import { mixPart } from "./mix-rate.ts";
import type { Part } from "./part.ts";
import { recallPart } from "./recall.ts";
import { replicationPart } from "./replication.ts";
import { runsPart } from "./runs.ts";
import { scalingPart } from "./scaling.ts";
import { throughputPart } from "./throughput.ts";
import { windowsPart } from "./windows.ts";

/** In the order in which they are measured. */
export const parts: readonly Part[] = [
  throughputPart,
  mixPart,
  scalingPart,
  delayPart,
  memoryPart,
  windowsPart,
  featuresPart,
  runsPart,
  costsPart,
  recallPart,
  memoryRecallPart,
  missionsPart,
  ingestPart,
  hookPart,
  historyPart,
  consolePart,
  replicationPart,
];
