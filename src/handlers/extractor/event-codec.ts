import { BusError } from "../../errors.ts";
import type { ExperienceEvent } from "./event.ts";

/** In the order in which replicas hand them to one another. */
const fields = [
  ...(["eventId", "ts", "storedAt", "tenantId", "agentId", "taskType", "runId"] as const),
  ...(["requestId", "source", "node", "ok", "errorClass", "httpStatus", "cancelled"] as const),
  ...(["silent", "provider", "model", "profile", "latencyMs", "tool", "toolLatencyMs"] as const),
  "reason",
] as const satisfies readonly (keyof ExperienceEvent)[];

/** A field that is not in the list is a type error here: it would be lost on the way. */
type Unlisted = Exclude<keyof ExperienceEvent, (typeof fields)[number]>;
const everyField: [Unlisted] extends [never] ? typeof fields : never = fields;

/** What two replicas must have in common to understand each other. */
export const eventFormat = everyField.join(" ");

/** A decoded event as JSON, and back. No field of one is ever null, so null stands for what is not there. */
export const eventCodec = {
  to: (event: ExperienceEvent): unknown => everyField.map((field) => event[field] ?? null),
  from(value: unknown): ExperienceEvent {
    if (!Array.isArray(value) || value.length !== everyField.length) {
      throw new BusError("bad_request", "no event of a replica");
    }
    const entries = everyField.map((field, i) => [field, value[i] ?? undefined]);
    return Object.fromEntries(entries) as ExperienceEvent;
  },
};
