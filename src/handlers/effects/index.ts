import { publish } from "../../nats/grants.ts";
import { Type } from "../../schema/typebox.ts";
import { lessonsStream, effects as names, verdictSubject } from "../../subjects.ts";
import type { ConcernDeclaration } from "../concern.ts";
import { type EffectMetrics, effectMetrics } from "./metrics.ts";
import { type AllEffectSettings, effectAdvice, effectSettings } from "./settings.ts";

/** Whether lessons help: what became of the runs that were given them, and of those that were not. */
export const effects: ConcernDeclaration<AllEffectSettings, EffectMetrics> = {
  name: "effects",
  summary: "compares runs with a lesson and without it, and says whether it helps",
  // What it shares with the extractor and with recall is read there, once.
  settings: (read) => effectSettings(read) as AllEffectSettings,
  advice: effectAdvice,
  jetstream(settings, build) {
    const source = build.source(settings.stream, settings.subject, {
      compared: { retention: true },
    });
    return {
      streams: [
        source,
        build.output(lessonsStream, [settings.lessonSubject], { added: [verdictSubject] }),
        build.attempts(names.durable, { vital: false }),
      ],
      durables: [
        build.durable(source, {
          name: names.durable,
          description: "reads what became of runs that were told of lessons",
          inOrder: true,
        }),
      ],
    };
  },
  endpoints: {
    "effects-list": {
      does: "what is known of the effect of each lesson, by `agent_id`, `verdict`, `state`, and whether the coin is sound; pages by `cursor`",
      may: "read",
      get: true,
    },
    "effects-get": {
      does: "the effect of one lesson: counts of both arms by epoch, ratio with bounds, verdict, how many more runs it takes; `not_found` where there is no such lesson",
      may: "read",
      get: true,
    },
  },
  tables: {
    "public.agent_lessons": ["SELECT"],
    "public.lesson_sightings": ["SELECT"],
    "public.lesson_exposures": ["SELECT"],
    "public.lesson_epochs": ["SELECT", "INSERT"],
    "public.run_outcomes": ["SELECT"],
    "public.agent_runs": ["SELECT"],
    "public.outcome_watermarks": ["SELECT", "INSERT", "UPDATE"],
    // Removed when no exposure can ask for them any more.
    "public.lesson_recurrences": ["SELECT", "INSERT", "UPDATE", "DELETE"],
    "public.run_activity": ["SELECT", "INSERT", "UPDATE", "DELETE"],
    // Append-only: each run is counted once.
    "public.lesson_outcomes": ["SELECT", "INSERT"],
    "public.lesson_effects": ["SELECT", "INSERT", "UPDATE"],
    "public.effect_checks": ["SELECT", "INSERT", "UPDATE"],
  },
  permissions: ({ lessonPublishEnabled }) =>
    lessonPublishEnabled ? [publish(verdictSubject, "publishes changed verdicts")] : [],
  metrics: effectMetrics,
  stats: {
    fields: {
      lesson_verdicts: Type.Record(Type.String(), Type.Integer(), {
        description: "lessons by what may be said of their effect",
      }),
    },
    async open({ database }) {
      const { openOverview } = await import("./overview.ts");
      const overview = openOverview(database);
      return async () => ({ lesson_verdicts: await overview.count() });
    },
  },
  open: async (context) => (await import("./open.ts")).openEffects(context),
};
