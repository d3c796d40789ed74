import { errors } from "@nats-io/transport-node";

/** True where NATS says that nobody has subscribed to what was asked, however deep an error holds it. */
export function isUnanswered(error: unknown): boolean {
  if (error instanceof errors.NoRespondersError) return true;
  return error instanceof Error && error.cause !== undefined && isUnanswered(error.cause);
}
