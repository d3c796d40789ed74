import { BusError } from "../../errors.ts";
import { firstProblem } from "../../schema/event-context.ts";
import { parseJsonObject } from "../../schema/json.ts";
import { strict } from "../../schema/request.ts";
import { Compile, type Static, Type } from "../../schema/typebox.ts";
import type { Agent } from "./agent.ts";

/** A longer answer is not read to its end. */
export const maxAnswerBytes = 256 * 1024;

const text = (most: number) => Type.String({ maxLength: most });

const stepSchema = Type.Object(
  {
    summary: text(4_000),
    tool_name: Type.String({ minLength: 1, maxLength: 256 }),
    params: Type.Record(Type.String(), Type.Unknown()),
    rationale: text(4_000),
  },
  strict,
);

/** What a planner answers, and nothing else. */
export const planSchema = Type.Object(
  {
    summary: Type.String({ minLength: 1, maxLength: 4_000, pattern: "\\S" }),
    steps: Type.Array(stepSchema, { maxItems: 100 }),
    tokens_used: Type.Optional(Type.Integer({ minimum: 0, maximum: 1_000_000_000 })),
  },
  strict,
);

export type Plan = Static<typeof planSchema>;
export type OverallStatus = "awaiting-review" | "approved";

const compiled = Compile(planSchema);

/**
 * Reads an answer. Throws `BusError` `bad_request` or `too_large` with the reason, which never repeats the answer's
 * text: it is not JSON, has another shape, or has a step with a tool that the policy denies.
 */
export function decodePlan(payload: Uint8Array, agent: Agent | null): Plan {
  if (payload.length > maxAnswerBytes) {
    const problem = `the answer has more than ${maxAnswerBytes} bytes`;
    throw new BusError("too_large", problem);
  }
  const value: unknown = parseJsonObject(payload);
  if (!compiled.Check(value)) {
    throw new BusError("bad_request", firstProblem(compiled.Errors(value)));
  }
  const denied = value.steps.findIndex(({ tool_name }) => agent?.policy.get(tool_name) === "deny");
  if (denied === -1) return value;
  throw new BusError("bad_request", `steps.${denied}.tool_name: the agent's policy denies it`);
}

/** Approved where each step may go ahead by itself; what nobody allows must be looked at. */
export function overallStatus({ steps }: Pick<Plan, "steps">, agent: Agent | null): OverallStatus {
  const isAuto = steps.every(({ tool_name }) => agent?.policy.get(tool_name) === "auto");
  return isAuto && steps.length > 0 ? "approved" : "awaiting-review";
}
