import type { OfferedTool } from "./agent.ts";

/** What a planner is asked for. */
export interface PlannerQuestion {
  readonly tenantId: string;
  readonly userId: string;
  readonly missionId: string;
  readonly agentId: string | null;
  readonly iterationId: string;
  /** ISO 8601. */
  readonly dueAt: string;
  /** Of the claim: a greater one for the same mission has taken its place. */
  readonly token: number;
  readonly prompt: string;
  readonly tools: readonly OfferedTool[];
}

/** What a planner said, or why it said nothing of use. Neither is an error of ours. */
export type PlannerAnswer =
  | {
      readonly kind: "answer";
      readonly payload: Uint8Array;
      /** What the service around the model counted; the plan itself may say so, too. */
      readonly tokensIn?: number;
      readonly tokensOut?: number;
    }
  | {
      readonly kind: "failed";
      /** As an event of experience has it. */
      readonly errorClass: string;
      readonly httpStatus?: number;
      /** For the log: nothing that the planner said. */
      readonly problem: string;
    };

/** The port behind which a plan is made. */
export interface Planner {
  /** As an event of experience has them. */
  readonly provider: string;
  readonly model?: string;
  /** Resolves within `timeoutMs`, and soon after `signal` aborts. */
  ask(question: PlannerQuestion, timeoutMs: number, signal: AbortSignal): Promise<PlannerAnswer>;
}
