import { inspectJson, parseJsonItems } from "../schema/json.ts";
import type { Caller } from "./route.ts";

/**
 * The one place where it is decided whose data a request is about: the payload with the tenant of the token in it,
 * whatever the request says. Throws `bad_request` for what is no JSON.
 */
export function payloadFor(
  { tenantId }: Pick<Caller, "tenantId">,
  payload: Uint8Array,
): Uint8Array {
  if (tenantId === "*") return payload;
  if (payload.length === 0) return Buffer.from(JSON.stringify({ tenant_id: tenantId }));
  const items = parseJsonItems(payload);
  // What nests too deep cannot be written again.
  for (const item of items) inspectJson(item);
  const own = items.map((item) => withTenant(tenantId, item));
  const isList = String.fromCharCode(payload.find((byte) => byte > 0x20) ?? 0) === "[";
  return Buffer.from(JSON.stringify(isList ? own : own[0]));
}

/** What is no object has no tenant, and no endpoint takes it. */
export function withTenant(tenantId: string, item: unknown): unknown {
  if (typeof item !== "object" || item === null || Array.isArray(item)) return item;
  // Both spellings are read.
  const { tenantId: _, ...rest } = item as Record<string, unknown>;
  return { ...rest, tenant_id: tenantId };
}
