import { durableName, type Reader } from "../../settings/environment.ts";

export interface FeatureSettings {
  /** The durables are `<prefix>-signals` and `<prefix>-feedback`. */
  readonly durablePrefix: string;
  /** How long an applied event is remembered. */
  readonly featureDedupDays: number;
}

export function featureSettings(read: Reader): FeatureSettings {
  return {
    durablePrefix: read.matching("NATS_DURABLE_PREFIX", "feature-pipeline", ...durableName),
    featureDedupDays: read.number("FEATURE_DEDUP_DAYS", 30, 0.01, 36_500),
  };
}
