import type { EventContext } from "../../../src/handlers/extractor/wire.ts";
import { decodeEvent } from "../../../src/handlers/extractor/wire.ts";

export const storedAt = Date.UTC(2026, 10, 1, 8);

export const context: EventContext = {
  defaultAgentId: "airline",
  defaultEventId: "2026-10-01T00:00:00Z:17",
  storedAt,
  maxFutureMs: 300_000,
};

export const bytes = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value));

/** Decodes what has nothing but what it must have, and `fields`. */
export const decode = (fields: object, other: Partial<EventContext> = {}) =>
  decodeEvent(bytes({ result: { ok: true }, ...fields }), { ...context, ...other });
