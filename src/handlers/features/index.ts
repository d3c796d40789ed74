import { Type } from "../../schema/typebox.ts";
import { feedback, signals } from "../../subjects.ts";
import type { ConcernDeclaration } from "../concern.ts";
import { type FeatureMetrics, featureMetrics } from "./metrics.ts";
import { type FeatureSettings, featureSettings } from "./settings.ts";

/** A row of features per user, from signals and feedback. */
export const features: ConcernDeclaration<FeatureSettings, FeatureMetrics> = {
  name: "features",
  summary: "keeps a feature row per user from signals and feedback",
  settings: featureSettings,
  problems(settings) {
    const { durablePrefix } = settings;
    const { durable } = settings as { readonly durable?: string };
    if (durablePrefix !== durable) return [];
    return [
      `NATS_DURABLE_PREFIX=${durablePrefix} must differ from EXPERIENCE_DURABLE: both name a bucket`,
    ];
  },
  jetstream({ durablePrefix }, build) {
    const ofSignals = build.source(signals.stream, signals.subject, { optional: true });
    const ofFeedback = build.source(feedback.stream, feedback.subject, { optional: true });
    return {
      streams: [ofSignals, ofFeedback, build.attempts(durablePrefix, { vital: false })],
      durables: [
        build.durable(ofSignals, {
          name: signals.durable(durablePrefix),
          description: "keeps a feature row per user from signals",
        }),
        build.durable(ofFeedback, {
          name: feedback.durable(durablePrefix),
          description: "keeps a feature row per user from feedback",
        }),
      ],
    };
  },
  endpoints: {
    "features-get": {
      does: "the feature row of one user; `not_found` where there is none",
      may: "read",
      get: true,
    },
    "features-batch": {
      does: "the feature rows of up to 1,000 users, and who has none",
      may: "read",
    },
  },
  tables: {
    "public.user_features": ["SELECT", "INSERT", "UPDATE"],
    // Removed after FEATURE_DEDUP_DAYS, under SELECT ... FOR UPDATE.
    "public.feature_events": ["SELECT", "INSERT", "UPDATE", "DELETE"],
  },
  metrics: featureMetrics,
  stats: {
    fields: { feature_rows: Type.Integer({ description: "users with features" }) },
    async open({ database }) {
      const { openFeatures } = await import("./store.ts");
      const store = openFeatures(database);
      return async () => ({ feature_rows: await store.countUsers() });
    },
  },
  open: async (context) => (await import("./open.ts")).openUserFeatures(context),
};
