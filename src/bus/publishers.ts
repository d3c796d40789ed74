import type { JetStreamClient } from "@nats-io/jetstream";
import type { ExperiencePublisher, LessonPublisher } from "../core/ports.ts";
import { nats } from "./errors.ts";

/** `Nats-Msg-Id` is the lesson key: publishing again within the stream's duplicate window stores once. */
export function lessonPublisher(js: JetStreamClient, subject: string): LessonPublisher {
  return {
    async publish(row) {
      await nats(() => js.publish(subject, JSON.stringify(row), { msgID: row.lesson_key }));
    },
  };
}

/** `Nats-Msg-Id` is the event id: an agent that repeats a request stores its events once. */
export function experiencePublisher(js: JetStreamClient): ExperiencePublisher {
  return {
    async publish(subject, payload, eventId) {
      const { duplicate } = await nats(() => js.publish(subject, payload, { msgID: eventId }));
      return duplicate ? "duplicate" : "stored";
    },
  };
}
