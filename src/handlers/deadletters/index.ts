import { call, publish, reading } from "../../nats/grants.ts";
import { deadLettersStream, replayedSubject } from "../../subjects.ts";
import type { ConcernDeclaration } from "../concern.ts";
import { type DeadLetterMetrics, deadLetterMetrics } from "./metrics.ts";

/** What became of messages that were given up: to be listed, replayed and purged. */
export const deadletters: ConcernDeclaration<object, DeadLetterMetrics> = {
  name: "deadletters",
  summary: "lists, replays and purges dead letters",
  endpoints: {
    "deadletters-list": {
      does: "dead letters by `stream`, `durable`, `reason`, `since`, `until`, `replayed`; newest first, pages by `cursor`",
      may: "admin",
      get: true,
      fleet: true,
    },
    "deadletters-get": {
      does: "one dead letter (`id`) with its headers and payload",
      may: "admin",
      get: true,
      fleet: true,
    },
    "deadletters-replay": {
      does: "publishes dead letters again where they came from, and marks them replayed: one (`id`), those of a filter, or `all`; `dry_run` counts",
      may: "admin",
      fleet: true,
    },
    "deadletters-purge": {
      does: "removes one (`id`) or those of a filter; `dry_run` counts, `note` goes to the log",
      may: "admin",
      fleet: true,
    },
  },
  permissions: (_, everything) => [
    ...reading(deadLettersStream, [], "reads dead letters"),
    call("CONSUMER.DELETE", [deadLettersStream, "*"], "reads dead letters"),
    call("STREAM.MSG.DELETE", [deadLettersStream], "purges dead letters"),
    publish(replayedSubject("*", "*", "*"), "marks replayed dead letters"),
    ...everything.durables.map(({ config }) =>
      publish(config.filter_subject, "replays dead letters"),
    ),
  ],
  metrics: deadLetterMetrics,
  async open({ archive, metrics, log }) {
    const { deadletters: endpoints } = await import("./endpoints.ts");
    return { parts: [endpoints({ archive, metrics, log })] };
  },
};
