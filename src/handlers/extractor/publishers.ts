import { hash } from "node:crypto";
import type { JetStreamClient } from "@nats-io/jetstream";
import { LRUCache } from "lru-cache";
import { nats, translateOwnWrite } from "../../nats/errors.ts";
import type { Publications } from "../../nats/publications.ts";
import { publishTraced } from "../../runtime/traced.ts";
import type { Tracing } from "../../runtime/tracing.ts";
import { messageIdOf } from "./identity.ts";
import type { ExperiencePublisher, LessonPublisher } from "./ports.ts";

/**
 * `Nats-Msg-Id` is the lesson key: publishing again within the stream's duplicate window stores once.
 * The lesson continues the trace of the event that completed it. Where none of the events at hand is in
 * its evidence, as it may be after a crash, it is published without a trace.
 */
export function lessonPublisher(
  js: JetStreamClient,
  subject: string,
  tracing: Tracing | null,
): LessonPublisher {
  return {
    async publish(row, cause) {
      try {
        await publishTraced(
          tracing,
          cause,
          { destination: subject, id: row.lesson_key },
          (traced) =>
            js.publish(subject, JSON.stringify(row), { msgID: row.lesson_key, ...traced }),
        );
      } catch (error) {
        throw translateOwnWrite(error);
      }
    },
  };
}

/** So many publications are remembered, to tell a repetition from an id that comes with other content. */
const remembered = 10_000;

/** Publishes under `messageIdOf`. `subjects` are those of the stream, as one pattern. */
export function experiencePublisher(
  publications: Publications,
  subjects: string,
  tracing: Tracing | null,
): ExperiencePublisher {
  /** What went out first under an id, by its hash: only what this process has published is known. */
  const contents = new LRUCache<string, string>({ max: remembered });
  return {
    async publish(subject, payload, identity, cause) {
      const messageId = messageIdOf(identity);
      const content = hash("sha256", payload, "base64");
      const first = contents.get(messageId) ?? content;
      contents.set(messageId, first);
      const { duplicate } = await publishTraced(
        tracing,
        cause,
        { destination: subjects, id: messageId },
        (traced) => nats(() => publications.publish({ subject, payload, messageId, ...traced })),
      );
      if (!duplicate) return "stored";
      return first === content ? "duplicate" : "conflict";
    },
  };
}
