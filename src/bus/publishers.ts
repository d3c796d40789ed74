import { hash } from "node:crypto";
import type { JetStreamClient } from "@nats-io/jetstream";
import type { ExperiencePublisher, LessonPublisher } from "../core/ports.ts";
import { nats, translateOwnWrite } from "./errors.ts";

/** `Nats-Msg-Id` is the lesson key: publishing again within the stream's duplicate window stores once. */
export function lessonPublisher(js: JetStreamClient, subject: string): LessonPublisher {
  return {
    async publish(row) {
      try {
        await js.publish(subject, JSON.stringify(row), { msgID: row.lesson_key });
      } catch (error) {
        throw translateOwnWrite(error);
      }
    },
  };
}

/** `Nats-Msg-Id` is the event id where a header can hold it: an agent that repeats a request stores its events once. */
export function experiencePublisher(js: JetStreamClient): ExperiencePublisher {
  return {
    async publish(subject, payload, eventId) {
      const msgID = messageId(eventId);
      const { duplicate } = await nats(() => js.publish(subject, payload, { msgID }));
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
