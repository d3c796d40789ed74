import { call, reading } from "../../nats/grants.ts";
import { windows } from "../../subjects.ts";
import type { ConcernDeclaration } from "../concern.ts";
import type { HistorySettings } from "./settings.ts";

/** Whether what is stored is what the stream gives, and what other settings would have given. */
export const history: ConcernDeclaration<HistorySettings> = {
  name: "history",
  summary: "checks lessons against the stream; tries other settings on it",
  endpoints: {
    "lessons-root": {
      does: "one hash over all lessons and sightings, and up to which message of the stream they are complete",
      may: "read",
      get: true,
    },
    "history-backtest": {
      does: "which lessons other settings would have given; reads the stream for `limit_seconds`, one request at a time, else `busy`",
      may: "read",
    },
  },
  tables: {
    "public.agent_lessons": ["SELECT"],
    "public.lesson_sightings": ["SELECT"],
    "public.lesson_erasures": ["SELECT"],
  },
  permissions: ({ stream, subject, durable }) => [
    call("STREAM.INFO", [stream], "tells up to where the stream is learned"),
    call("CONSUMER.INFO", [stream, durable], "tells up to where the stream is learned"),
    call("CONSUMER.INFO", [stream, windows.durable], "tells up to where the stream is learned"),
    ...reading(stream, ["*", subject], "reads events again"),
  ],
  open: async (context) => (await import("./open.ts")).openHistory(context),
};
