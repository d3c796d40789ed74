import { errors } from "@nats-io/transport-node";

/** True where NATS reports no responders on the subject that was asked, however deep an error holds it. */
export function isUnanswered(error: unknown): boolean {
  if (error instanceof errors.NoRespondersError) return true;
  return error instanceof Error && error.cause !== undefined && isUnanswered(error.cause);
}
