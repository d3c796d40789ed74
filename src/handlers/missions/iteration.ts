import { hash } from "node:crypto";
import type { Agent } from "./agent.ts";
import { isoTime } from "./change.ts";
import type { FieldWrite, Snapshot } from "./snapshot.ts";

/** A mission, of one user of one tenant. */
export interface MissionKey {
  readonly tenantId: string;
  readonly userId: string;
  readonly missionId: string;
}

/** The same for the same mission and due time, on every replica and at every attempt. */
export function iterationId({ tenantId, userId, missionId }: MissionKey, due: number): string {
  return hash("sha256", JSON.stringify([tenantId, userId, missionId, due]), "hex").slice(0, 32);
}

/** Who made a change. */
export type Actor = Readonly<Record<string, string>>;

/** Where a mission names no agent. */
export const noAgent = "legacy:ai-default";

export const systemActor: Actor = {
  kind: "system",
  principal_id: "system:mission-runner",
  display_name: "Mission runner",
};

export function planActor(
  agent: Agent | null,
  of: { readonly missionId: string; readonly iterationId: string; readonly rationale: string },
): Actor {
  return {
    kind: "ai",
    principal_id: agent?.agentId ?? noAgent,
    display_name: agent?.name ?? agent?.agentId ?? "AI",
    mission_id: of.missionId,
    iteration_id: of.iterationId,
    rationale: of.rationale,
  };
}

/** A change of a mission that the runner makes, as it is published. */
export interface MissionChange {
  readonly event_id: string;
  readonly tenant_id: string;
  readonly user_id: string;
  readonly table: "missions";
  readonly record_id: string;
  readonly op: "update";
  readonly data: Readonly<Record<string, unknown>>;
  readonly field_meta: Readonly<Record<string, string>>;
  readonly ts: string;
  readonly actor: Actor;
}

/**
 * Writes these fields. Their time is that of the writing, or just after what the snapshot has where somebody's clock is
 * ahead: what the runner has seen is never newer than what it made of it.
 */
export function missionChange(
  { tenantId, userId, missionId }: MissionKey,
  before: Pick<Snapshot, "fieldMeta">,
  write: {
    readonly eventId: string;
    readonly now: number;
    readonly data: MissionChange["data"];
    readonly actor: Actor;
  },
): MissionChange {
  const times = Object.keys(write.data).map((field) => [
    field,
    timeAfter(before.fieldMeta[field], write.now),
  ]);
  return {
    event_id: write.eventId,
    tenant_id: tenantId,
    user_id: userId,
    table: "missions",
    record_id: missionId,
    op: "update",
    data: write.data,
    field_meta: Object.fromEntries(times),
    ts: isoTime(write.now),
    actor: write.actor,
  };
}

function timeAfter(known: FieldWrite | undefined, now: number): string {
  return isoTime(known === undefined ? now : Math.max(now, Date.parse(known.time) + 1));
}
