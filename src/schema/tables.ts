/** Every table: what migrations are made from, and where the rest of the code finds them. */

export { experienceAgentCounts, experienceAgents, experienceCounts } from "./counts.ts";
export {
  effectChecks,
  lessonEffects,
  lessonOutcomes,
  lessonRecurrences,
  outcomeWatermarks,
  runActivity,
} from "./effects.ts";
export { agentLessons, lessonOutbox, lessonSightings } from "./extractor.ts";
export { featureEvents, userFeatures } from "./features.ts";
export {
  lessonDecisions,
  lessonEpochs,
  lessonErasures,
  lessonExposures,
  lessonOmissions,
  runOutcomes,
} from "./lessons.ts";
export { memoryEntries, memoryFeedback, memoryPromotions } from "./memory.ts";
export {
  agentClaims,
  agentSnapshots,
  agentTokens,
  missionClaims,
  missionDecryptAudit,
  missionIterations,
  missionOutbox,
  missionSnapshots,
  recordSnapshots,
} from "./missions.ts";
export { reviewClock, reviewEntries, reviewEvents } from "./review.ts";
export { agentEvents, agentRuns } from "./runs.ts";
export { leases, streamPositions } from "./shared.ts";
export {
  lessonRanks,
  lessonWindows,
  runWindows,
  signatureWindows,
  wideEvidence,
  windowMarks,
} from "./windows.ts";
