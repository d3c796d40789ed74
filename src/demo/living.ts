import { jetstream } from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/transport-node";
import { messageIdOf } from "../handlers/extractor/identity.ts";
import { experienceSubject } from "../subjects.ts";
import { eventsBetween, runSteps } from "./traffic.ts";

/** A demo that goes on: agents that keep acting, so that somebody can look at them. */

/** As long as people like to wait for the next thing to happen. */
const everyMs = 1_000;
/** The fleet lives so many times as fast as it did in its first half hour. */
const pace = 5;

/**
 * Publishes what the agents of `demoTraffic` do and their runs, from the beginning of `beganAt` (epoch ms) on: to now at once,
 * and then as it happens. Never resolves; rejects when the broker is gone.
 */
export async function keepLiving(
  nc: NatsConnection,
  subjects: string,
  beganAt: number,
): Promise<never> {
  const js = jetstream(nc);
  const publishSteps = async (events: ReturnType<typeof eventsBetween>) => {
    // A run's steps in their order.
    for (const step of events.flatMap(runSteps)) {
      await js.publish(`agent.run.v1.${step.run_id}`, JSON.stringify(step));
    }
  };
  const startedAt = Date.now();
  await publishSteps(eventsBetween(beganAt, beganAt, startedAt));
  let until = startedAt;
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, everyMs));
    const lived = startedAt + (Date.now() - startedAt) * pace;
    const ts = new Date().toISOString();
    const events = eventsBetween(beganAt, until, lived).map((event) => ({ ...event, ts }));
    until = lived;
    for (const event of events) {
      const { agent_id: agentId, event_id: eventId } = event;
      const msgID = messageIdOf({ tenantId: "default", agentId, eventId });
      await js.publish(experienceSubject(subjects, agentId), JSON.stringify(event), { msgID });
    }
    await publishSteps(events);
  }
}
