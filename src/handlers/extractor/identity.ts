import { hash } from "node:crypto";

/** Whose event it is, and which of theirs. */
export interface EventIdentity {
  readonly tenantId: string;
  readonly agentId: string;
  readonly eventId: string;
}

/**
 * The `Nats-Msg-Id` of an event: lower-case hex SHA-256 of its tenant, its agent and its id. JetStream compares it in the
 * whole stream, where two tenants, or two agents of one, may both count 1, 2, 3. Every door publishes under it, so that an
 * event that comes twice, through whichever, is stored once.
 */
export function messageIdOf({ tenantId, agentId, eventId }: EventIdentity): string {
  return hash("sha256", JSON.stringify([tenantId, agentId, eventId]), "hex");
}
