import { hash } from "node:crypto";
import type { JetStreamClient } from "@nats-io/jetstream";
import { nats, translateOwnWrite } from "../../nats/errors.ts";
import { publishTraced } from "../../runtime/traced.ts";
import type { Tracing } from "../../runtime/tracing.ts";
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

/**
 * `Nats-Msg-Id` is the event id where a header can hold it: an agent that repeats a request stores its
 * events once. `subjects` are those of the stream, as one pattern.
 */
export function experiencePublisher(
  js: JetStreamClient,
  subjects: string,
  tracing: Tracing | null,
): ExperiencePublisher {
  return {
    async publish(subject, payload, eventId, cause) {
      const msgID = messageId(eventId);
      const { duplicate } = await publishTraced(
        tracing,
        cause,
        { destination: subjects, id: msgID },
        (traced) => nats(() => js.publish(subject, payload, { msgID, ...traced })),
      );
      return duplicate ? "duplicate" : "stored";
    },
  };
}

/**
 * A header value has no line breaks and loses white space at its ends, so two ids could become one;
 * such an id goes by its hash. The event itself carries the id as it is.
 */
function messageId(eventId: string): string {
  const fits = eventId.trim() === eventId && !/[\r\n]/.test(eventId);
  return fits ? eventId : `sha256-${hash("sha256", eventId, "hex")}`;
}
