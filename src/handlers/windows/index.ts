import { publish, reading } from "../../nats/grants.ts";
import { Type } from "../../schema/typebox.ts";
import { lessonsStream, windows as names, verdictSubject } from "../../subjects.ts";
import type { ConcernDeclaration } from "../concern.ts";
import { type WindowMetrics, windowMetrics } from "./metrics.ts";
import { type AllWindowSettings, timesOf, windowSettings } from "./settings.ts";

/** How big each failure is, window by window, and lessons that one short window of one agent does not show. */
export const windows: ConcernDeclaration<AllWindowSettings, WindowMetrics> = {
  name: "windows",
  summary:
    "counts how often failures recur and recover; learns lessons of fleets and of slow failures",
  // The extractor's are read by the extractor, once.
  settings: (read) => windowSettings(read) as AllWindowSettings,
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
          description: "counts windows; learns lessons of fleets and of slow failures",
          inOrder: true,
        }),
      ],
    };
  },
  endpoints: {},
  tables: {
    "public.agent_lessons": ["SELECT", "INSERT"],
    "public.lesson_sightings": ["SELECT", "INSERT"],
    "public.lesson_outbox": ["SELECT", "INSERT", "UPDATE", "DELETE"],
    // Removed when they are old: what they say is in the stream, or was.
    "public.wide_evidence": ["SELECT", "INSERT", "UPDATE", "DELETE"],
    "public.window_marks": ["SELECT", "INSERT", "UPDATE"],
    "public.signature_windows": ["SELECT", "INSERT", "UPDATE", "DELETE"],
    // Triggers enter what is to be ranked.
    "public.lesson_ranks": ["SELECT", "UPDATE", "DELETE"],
    "public.run_windows": ["SELECT", "INSERT", "UPDATE", "DELETE"],
    "public.lesson_windows": ["SELECT"],
  },
  permissions: ({ stream, subject, lessonSubject, lessonPublishEnabled }) => [
    ...(lessonPublishEnabled ? [publish(lessonSubject, "publishes lessons")] : []),
    ...reading(stream, ["*", subject], "reads events again"),
  ],
  metrics: windowMetrics,
  stats: {
    fields: {
      lesson_windows_due: Type.Integer({
        description: "windows that are over and not counted yet",
      }),
    },
    async open({ database }, settings) {
      const { openWindowStore } = await import("./store.ts");
      const store = openWindowStore(database, timesOf(settings));
      return async () => ({ lesson_windows_due: await store.countDue() });
    },
  },
  open: async (context) => (await import("./open.ts")).openWindows(context),
};
