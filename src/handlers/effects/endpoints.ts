import { BusError } from "../../errors.ts";
import { cursorOf, idInPlace } from "../../schema/cursor.ts";
import { Type } from "../../schema/typebox.ts";
import type { ConcernPart } from "../concern.ts";
import { endpoint } from "../endpoint.ts";
import type { Overview } from "./overview.ts";
import type { OutcomeStore } from "./store.ts";
import {
  effectSchema,
  type GetRequest,
  getSchema,
  type ListReply,
  type ListRequest,
  listReplySchema,
  listSchema,
  type WireEffect,
  wireEffect,
} from "./wire.ts";

const place = cursorOf(Type.Tuple([idInPlace]));

/** The `effects-…` endpoints. */
export function effectEndpoints(options: {
  readonly overview: Overview;
  readonly store: Pick<OutcomeStore, "watermark">;
  readonly horizonSeconds: number;
}): ConcernPart["endpoints"] {
  const { overview, store, horizonSeconds } = options;

  async function list(request: ListRequest): Promise<ListReply> {
    const { tenant_id: tenantId = "default", limit = 50, cursor, ...filter } = request;
    const [after] = cursor === undefined ? [""] : place.placeOf(cursor);
    const [found, checks, watermark] = await Promise.all([
      overview.list({ ...filter, tenantId }, limit + 1, after),
      overview.checks(tenantId),
      store.watermark(),
    ]);
    const page = found.slice(0, limit);
    return {
      effects: page.map(wireEffect),
      checks: checks.map(({ check, logE, broken, lessons }) => ({
        ...{ check, log_e: logE, broken, lessons },
      })),
      counted_until:
        watermark === null ? null : new Date(watermark - horizonSeconds * 1_000).toISOString(),
      horizon_seconds: horizonSeconds,
      cursor: place.behind(page, found.length > limit, ({ lessonKey }) => [lessonKey]),
    };
  }

  async function get({ tenant_id, lesson_key: key }: GetRequest): Promise<WireEffect> {
    const [known, another] = await overview.find(key, tenant_id ?? "default");
    if (known === undefined) throw new BusError("not_found", `there is no lesson ${key}`);
    if (another === undefined) return wireEffect(known);
    throw new BusError("bad_request", `lesson_key: more than one begins with ${key}`);
  }

  return [
    endpoint({ name: "effects-list", request: listSchema, reply: listReplySchema, handle: list }),
    endpoint({ name: "effects-get", request: getSchema, reply: effectSchema, handle: get }),
  ];
}
