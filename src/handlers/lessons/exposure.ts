import { hash } from "node:crypto";
import { BusError } from "../../errors.ts";
import { firstProblem } from "../../schema/event-context.ts";
import { parseJsonObject } from "../../schema/json.ts";
import { Compile, type Static, Type } from "../../schema/typebox.ts";
import type { Omitted } from "./choice.ts";
import { type CoinKey, coinOf, isAttached } from "./coin.ts";
import type { KnownLesson } from "./lesson.ts";

/** That a run was eligible for a lesson, and whether it was given it. */
export interface Exposure {
  readonly lessonKey: string;
  readonly epoch: number;
  readonly share: number;
  readonly attached: boolean;
  /** Sequence of the message that said so first, and when; null: the one that is to be written. */
  readonly storedIn: number | null;
}

/** All that is on record of a run: each message repeats the exposures that came before, so that the last one is enough. */
export interface RunRecord {
  readonly tenantId: string;
  readonly runId: string;
  readonly agentId: string;
  readonly exposures: readonly Exposure[];
  /** What was cut when this was asked. */
  readonly omitted: readonly Omitted[];
}

/** What a run was told, as far as its next record repeats it. */
export type ToldBefore = Omit<RunRecord, "omitted">;

/** A subject token for a run of a tenant. */
export function runToken(tenantId: string, runId: string): string {
  return hash("sha256", JSON.stringify([tenantId, runId]), "hex").slice(0, 32);
}

/** The coin's arm of each lesson in a run. */
export function exposuresOf(
  lessons: readonly KnownLesson[],
  run: { readonly tenantId: string; readonly runId: string },
  key: CoinKey,
): Exposure[] {
  return lessons.map(({ lessonKey, epoch: { epoch, share } }) => {
    const attached = isAttached(coinOf(key, run.tenantId, run.runId, lessonKey), share);
    return { lessonKey, epoch, share, attached, storedIn: null };
  });
}

const exposureSchema = Type.Object({
  lesson_key: Type.String({ minLength: 1, maxLength: 64 }),
  epoch: Type.Integer({ minimum: 1 }),
  share: Type.Number({ minimum: 0, maximum: 1 }),
  attached: Type.Boolean(),
  stored_in: Type.Optional(Type.Integer({ minimum: 1 })),
});
export type WireExposure = Static<typeof exposureSchema>;

const messageSchema = Type.Object({
  tenant_id: Type.String({ minLength: 1, maxLength: 128 }),
  run_id: Type.String({ minLength: 1, maxLength: 128 }),
  agent_id: Type.String({ minLength: 1, maxLength: 128 }),
  exposures: Type.Array(exposureSchema),
  omitted: Type.Array(
    Type.Object({ lesson_key: Type.String({ minLength: 1, maxLength: 64 }), why: Type.String() }),
  ),
});

export type WireRecord = Static<typeof messageSchema>;

const compiled = Compile(messageSchema);

export function encodeRecord({ tenantId, runId, agentId, exposures, omitted }: RunRecord): string {
  const message: WireRecord = {
    tenant_id: tenantId,
    run_id: runId,
    agent_id: agentId,
    exposures: exposures.map(wireExposure),
    omitted: omitted.map(({ lessonKey, why }) => ({ lesson_key: lessonKey, why })),
  };
  return JSON.stringify(message);
}

function wireExposure({ lessonKey, epoch, share, attached, storedIn }: Exposure): WireExposure {
  const wire: WireExposure = { lesson_key: lessonKey, epoch, share, attached };
  if (storedIn !== null) wire.stored_in = storedIn;
  return wire;
}

function parsed(payload: Uint8Array): WireRecord {
  const value: unknown = parseJsonObject(payload);
  if (compiled.Check(value)) return value as WireRecord;
  throw new BusError("bad_request", firstProblem(compiled.Errors(value)));
}

/**
 * A record as its message has it. Until it is written hundreds of others come, and their objects, kept so long, would be
 * most of what the collector finds: so they stay bytes, which PostgreSQL takes apart.
 */
export interface KeptRecord {
  readonly payload: Uint8Array;
  /** Epoch ms. */
  readonly storedAt: number;
}

/** Throws `BusError` `bad_request` where it is no record of a run. */
export function keptRecord(payload: Uint8Array, storedAt: number): KeptRecord {
  parsed(payload);
  return { payload, storedAt };
}

/** Throws `BusError` `bad_request` where it is no record of a run. */
export function decodeRecord(payload: Uint8Array): ToldBefore {
  const message = parsed(payload);
  return {
    tenantId: message.tenant_id,
    runId: message.run_id,
    agentId: message.agent_id,
    exposures: message.exposures.map(({ lesson_key, epoch, share, attached, stored_in }) => ({
      lessonKey: lesson_key,
      epoch,
      share,
      attached,
      storedIn: stored_in ?? null,
    })),
  };
}
