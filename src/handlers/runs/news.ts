import { hash } from "node:crypto";
import type { NatsConnection } from "@nats-io/transport-node";
import { runNewsSubject } from "../../subjects.ts";
import { runKey } from "./append.ts";
import type { RunKey, RunNews } from "./ports.ts";

/**
 * Word of new events goes to every replica by plain NATS: it may get lost, so listeners also look
 * now and then by themselves.
 */
export function openRunNews(nc: NatsConnection): RunNews {
  return {
    announce(run) {
      if (!nc.isClosed()) nc.publish(subjectOf(run));
    },
    listen(run, hear) {
      const subscription = nc.subscribe(subjectOf(run), { callback: () => hear() });
      return () => subscription.unsubscribe();
    },
  };
}

/** A hash, for ids may hold what a subject cannot. */
function subjectOf(run: RunKey): string {
  return runNewsSubject(hash("sha256", runKey(run), "hex").slice(0, 32));
}
