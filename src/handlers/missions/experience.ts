import type { JetStreamClient } from "@nats-io/jetstream";
import type { Logger } from "../../log.ts";
import { causeOf } from "../../nats/errors.ts";
import { experienceSubject } from "../../subjects.ts";
import { messageIdOf } from "../extractor/identity.ts";
import type { Claim } from "./claim.ts";
import { noAgent } from "./iteration.ts";
import type { Planner, PlannerAnswer } from "./planner.ts";

export const missionTask = "mission";

/** How a call of the planner went. */
export interface PlannerCall {
  readonly claim: Claim;
  readonly planner: Pick<Planner, "provider" | "model">;
  readonly answer: PlannerAnswer;
  /** Why the answer is no plan; null: it is one. */
  readonly problem: string | null;
  readonly startedAt: number;
  readonly latencyMs: number;
}

/** Tells of a call of the planner as of anything else that an agent does: it may be learned from. */
export type TellExperience = (call: PlannerCall) => Promise<void>;

/** `subjects`: `EXPERIENCE_SUBJECT`. An event that cannot be published is left out: the plan matters more. */
export function experienceTeller(
  js: JetStreamClient,
  subjects: string,
  log: Logger,
): TellExperience {
  return async (call) => {
    const event = experienceOf(call);
    const { tenant_id: tenantId, agent_id: agentId, event_id: eventId } = event;
    const subject = experienceSubject(subjects, agentId);
    const msgID = messageIdOf({ tenantId, agentId, eventId });
    try {
      await js.publish(subject, JSON.stringify(event), { msgID, timeout: 2_000 });
    } catch (error) {
      log.warn({ reason: causeOf(error) }, "a planner call is not told as an experience");
    }
  };
}

export function experienceOf(call: PlannerCall) {
  const { claim, planner, answer, problem } = call;
  const errorClass = answer.kind === "failed" ? answer.errorClass : "planner_parse_failure";
  const isOk = answer.kind === "answer" && problem === null;
  return {
    event_id: `mission:${claim.iterationId}:${claim.token}`,
    ts: new Date(call.startedAt).toISOString(),
    tenant_id: claim.tenantId,
    agent_id: claim.agentId ?? noAgent,
    task_type: missionTask,
    run_id: claim.iterationId,
    source: "mission-runner",
    result: {
      ok: isOk,
      ...(!isOk && { error_class: errorClass }),
      ...(answer.kind === "failed" &&
        answer.httpStatus !== undefined && { http_status: answer.httpStatus }),
    },
    llm: {
      provider: planner.provider,
      ...(planner.model !== undefined && { model: planner.model }),
      latency_ms: Math.round(call.latencyMs),
      ...(answer.kind === "answer" &&
        answer.tokensIn !== undefined && { tokens_in: answer.tokensIn }),
      ...(answer.kind === "answer" &&
        answer.tokensOut !== undefined && { tokens_out: answer.tokensOut }),
    },
  };
}
