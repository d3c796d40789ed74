import { Empty, type NatsConnection } from "@nats-io/transport-node";
import { LRUCache } from "lru-cache";
import type { Logger } from "../../log.ts";
import { causeOf } from "../../nats/errors.ts";
import { endpointSubject } from "../../subjects.ts";

/** Lessons never keep a plan waiting for longer. */
const deadlineMs = 500;
const mostCharacters = 8_000;

export interface LessonQuestion {
  readonly tenantId: string;
  readonly agentId: string;
  readonly taskType: string;
  readonly runId: string;
}

/** Text for a prompt about what an agent has learned; empty where nobody answers in time, or there is nothing. */
export type RecallLessons = (question: LessonQuestion) => Promise<string>;

/** Blocks of plans that may be asked for again. */
const mostBlocks = 1_000;

/**
 * Asks `lessons-recall`, whichever replica hosts it. A run is given each lesson once, and a plan that failed is the same
 * run: this replica keeps what it was given, for the next attempt.
 */
export function lessonRecall(nc: NatsConnection, log: Logger): RecallLessons {
  const given = new LRUCache<string, string>({ max: mostBlocks });
  return async ({ tenantId, agentId, taskType, runId }) => {
    const question = { tenant_id: tenantId, agent_id: agentId, task_type: taskType, run_id: runId };
    try {
      const reply = await nc.request(endpointSubject("lessons-recall"), JSON.stringify(question), {
        timeout: deadlineMs,
      });
      if (reply.headers?.get("Nats-Service-Error-Code") || reply.data === Empty) return "";
      const { block } = reply.json<{ readonly block?: unknown }>();
      if (typeof block !== "string" || block === "") return given.get(runId) ?? "";
      const text = block.slice(0, mostCharacters);
      given.set(runId, text);
      return text;
    } catch (error) {
      // A plan without lessons is better than none.
      log.debug({ reason: causeOf(error) }, "no lessons for a plan");
      return "";
    }
  };
}
