import { Type } from "../../schema/typebox.ts";
import { feedback, reviewDurable } from "../../subjects.ts";
import type { ConcernDeclaration } from "../concern.ts";
import { type ReviewMetrics, reviewMetrics } from "./metrics.ts";

/** From a user's complaint to a skill, signed by people on the way. */
export const review: ConcernDeclaration<object, ReviewMetrics> = {
  name: "review",
  summary: "takes negative feedback through review to a lesson and a skill",
  jetstream(_, build) {
    const source = build.source(feedback.stream, feedback.subject, { optional: true });
    return {
      streams: [source, build.attempts(reviewDurable, { vital: false })],
      durables: [
        build.durable(source, {
          name: reviewDurable,
          description: "creates review entries from negative feedback",
        }),
      ],
    };
  },
  endpoints: {
    "review-create": {
      does: "creates an entry for a piece of feedback; a known `entry_id` is a `conflict`",
      may: "review",
    },
    "review-advance": {
      does: "takes an entry to its next stage, with `reviewer`, `case` and `skill_draft`; merging makes a lesson",
      may: "review",
    },
    "review-get": {
      does: "one entry with its history; `not_found` where there is none",
      may: "read",
      get: true,
    },
    "review-list": {
      does: "entries by `stage`; the last changed first, pages by `cursor`",
      may: "read",
      get: true,
    },
    "review-remove": {
      does: "removes an entry (`by`, `reason`); its history stays",
      may: "review",
    },
    "review-stats": { does: "how many entries there are at each stage", may: "read", get: true },
  },
  tables: {
    "public.review_clock": ["SELECT", "UPDATE"],
    "public.review_entries": ["SELECT", "INSERT", "UPDATE", "DELETE"],
    // Append-only: history is never rewritten.
    "public.review_events": ["SELECT", "INSERT"],
    "public.agent_lessons": ["SELECT", "INSERT"],
    // What is known of a run that somebody complains about.
    "public.agent_runs": ["SELECT"],
    "public.lesson_exposures": ["SELECT"],
    "public.lesson_recurrences": ["SELECT"],
    "public.lesson_sightings": ["SELECT"],
    "public.lesson_windows": ["SELECT"],
    "public.lesson_decisions": ["SELECT"],
    "public.lesson_epochs": ["SELECT"],
  },
  metrics: reviewMetrics,
  stats: {
    fields: {
      review_entries: Type.Record(Type.String(), Type.Integer(), { description: "by stage" }),
    },
    async open({ database }) {
      const { openReviews } = await import("./store.ts");
      const reviews = openReviews(database);
      return async () => ({ review_entries: await reviews.countByStage() });
    },
  },
  open: async (context) => (await import("./open.ts")).openReview(context),
};
