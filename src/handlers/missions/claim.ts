import type { Agent } from "./agent.ts";
import type { AgentLoad } from "./gates.ts";
import type { MissionKey } from "./iteration.ts";
import type { Snapshot } from "./snapshot.ts";

/** A mission that is active, due, claimed by nobody, and not to be tried later. */
export interface DueMission extends MissionKey {
  /** Epoch ms. */
  readonly due: number;
  readonly agentId: string | null;
}

/** What the gates look at. */
export interface KnownAgent extends AgentLoad {
  readonly agent: Agent;
  readonly version: number;
}

/** A mission that is to be claimed. */
export interface Wanted {
  readonly mission: DueMission;
  /** Its agent as it was seen; null: it has none. */
  readonly known: KnownAgent | null;
}

/** A claim that this replica has, and what it was made on. */
export interface Claim extends DueMission {
  readonly iterationId: string;
  readonly token: number;
  /** In a row, for this due time. */
  readonly failures: number;
  readonly snapshot: Snapshot & { readonly version: number };
  readonly agent: Agent | null;
  /** This due time has its iteration: somebody has set the clock back. */
  readonly isDone: boolean;
}

/** Why there is no claim: a gate has closed meanwhile, or another replica was faster. */
export type Refused = "concurrency" | "budget" | "gone";

export const agentKey = (
  { tenantId, userId }: Pick<MissionKey, "tenantId" | "userId">,
  agentId: string,
) => JSON.stringify([tenantId, userId, agentId]);
