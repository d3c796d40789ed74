import { call, publish } from "../../nats/grants.ts";
import { Type } from "../../schema/typebox.ts";
import { exposures } from "../../subjects.ts";
import type { ConcernDeclaration } from "../concern.ts";
import { type LessonMetrics, lessonMetrics } from "./metrics.ts";
import { type LessonSettings, lessonAdvice, lessonProblems, lessonSettings } from "./settings.ts";

/** What was learned, handed back to agents before they act, and what people decide about it. */
export const lessons: ConcernDeclaration<LessonSettings, LessonMetrics> = {
  name: "lessons",
  summary: "hands lessons to agents, and keeps who was told what",
  settings: lessonSettings,
  problems: lessonProblems,
  advice: lessonAdvice,
  jetstream(_, build) {
    const told = build.output(exposures.stream, [exposures.subjects], {
      keptMs: keptDays * 86_400_000,
    });
    return {
      streams: [told, build.attempts(exposures.durable, { vital: false })],
      durables: [
        build.durable(told, {
          name: exposures.durable,
          description: "stores which runs were given which lessons",
        }),
      ],
    };
  },
  endpoints: {
    "lessons-recall": {
      does: "the lessons that concern what an agent is about to do, and a `block` for its prompt; with a `run_id` on record",
      may: "recall",
    },
    "lessons-list": {
      does: "lessons by `agent_id`, `task_type`, `lesson_type`, `scope`, `text`, `since`; newest first, or by runs that failed so (`order`); pages by `cursor`",
      may: "read",
      get: true,
    },
    "lessons-get": {
      does: "one lesson with its sightings, decisions and epochs; `not_found` where there is none",
      may: "read",
      get: true,
    },
    "lessons-curate": {
      does: "what a person decides: `silence`, `restore`, `pin`, `unpin`, `expire`, `approve_text` or `note`, `by` whom and for which `reason`",
      may: "review",
    },
    "lessons-receipts": {
      does: "what a run was told, and what was held out or cut; and how it ended",
      may: "read",
      get: true,
    },
    "lessons-outcome": {
      does: "how a run ended (`success`, `score`), where its events do not say",
      may: "publish",
    },
  },
  tables: {
    "public.agent_lessons": ["SELECT"],
    "public.lesson_sightings": ["SELECT"],
    "public.lesson_windows": ["SELECT"],
    "public.signature_windows": ["SELECT"],
    "public.lesson_ranks": ["SELECT"],
    // Append-only: what was decided and who was told what is never rewritten.
    "public.lesson_decisions": ["SELECT", "INSERT"],
    "public.lesson_epochs": ["SELECT", "INSERT"],
    "public.lesson_exposures": ["SELECT", "INSERT"],
    "public.lesson_omissions": ["SELECT", "INSERT"],
    // Written by the owner of the tables alone: `erase_lesson`.
    "public.lesson_erasures": ["SELECT"],
    "public.run_outcomes": ["SELECT", "INSERT"],
  },
  permissions: () => [
    publish(exposures.subjects, "records what runs are told"),
    call("STREAM.MSG.GET", [exposures.stream], "reads what a run was told"),
  ],
  metrics: lessonMetrics,
  stats: {
    fields: {
      lesson_exposures: Type.Integer({ description: "runs and lessons, in both arms; about" }),
    },
    async open({ database }) {
      const { openExposureTables } = await import("./store.ts");
      const tables = openExposureTables(database);
      return async () => ({ lesson_exposures: await tables.count() });
    },
  },
  open: async (context) => (await import("./open.ts")).openLessons(context),
};

/** As long as a run may ask again, and an outage of PostgreSQL may last. */
const keptDays = 7;
