import { BusError, messageOf } from "../../errors.ts";
import type { HttpRoute, RouteRequest } from "../../http/route.ts";
import type { Logger } from "../../log.ts";
import { withTimeout } from "../../runtime/timeout.ts";
import { parseJsonObject } from "../../schema/json.ts";
import { mapHook } from "./dialects/hook.ts";
import { hookAgents, hookDialectOf } from "./dialects/hooks.ts";
import { blockIn, hookAnswer, recallFor } from "./hook-answer.ts";
import type { Mapped } from "./mapped.ts";
import { countRecords, type IngestMetrics } from "./metrics.ts";
import type { IngestPublisher } from "./publishers.ts";
import { requireNear, tenantOf } from "./sender.ts";

export interface HookOptions {
  readonly publisher: IngestPublisher;
  readonly metrics: IngestMetrics;
  readonly log: Logger;
  readonly isGuarded: boolean;
}

/** An agent waits for its hooks: it is answered within 300 ms, stored or not. */
const storeMs = 200;
const recallMs = 80;
/** A hook brings what a tool has returned, of which one line is read at most. */
const mostBytes = 8 * 1_024 * 1_024;

/** `POST /ingest/hooks/<agent>`. The answer to a failure may carry the lesson about it. */
export function hookRoute(options: HookOptions): HttpRoute {
  const { publisher, metrics, log, isGuarded } = options;

  async function handle(request: RouteRequest): Promise<Response> {
    requireNear(request, isGuarded);
    const agent = request.params["agent"] ?? "";
    const dialect = hookDialectOf(agent);
    if (dialect === undefined) {
      throw new BusError("not_found", `hooks are known of ${hookAgents.join(", ")}`);
    }
    const tenant = tenantOf(request);
    const fields = parseJsonObject(await request.body());
    const mapped = mapHook(dialect, { fields, receivedAt: receivedAt(request) });
    await withTimeout(publisher.store([mapped], tenant, request), storeMs, late(storeMs));
    countRecords(metrics, "hooks", [mapped]);
    const block = await lessonFor(mapped, tenant, request);
    return Response.json(hookAnswer(fields["hook_event_name"], block));
  }

  /** Without a lesson the agent goes on as it would have: whatever is wrong here is no business of its. */
  async function lessonFor(mapped: Mapped, tenant: string | undefined, request: RouteRequest) {
    const asked = recallFor(mapped, tenant);
    if (asked === null) return undefined;
    try {
      const answer = await withTimeout(
        request.ask("lessons-recall", asked),
        recallMs,
        late(recallMs),
      );
      if (answer.status !== 200) return undefined;
      return blockIn(JSON.parse(Buffer.from(answer.body).toString()));
    } catch (error) {
      log.debug({ err: error }, `no lesson for a hook: ${messageOf(error)}`);
      return undefined;
    }
  }

  return {
    ...{ method: "POST", path: "/ingest/hooks/:agent", may: "publish", maxBodyBytes: mostBytes },
    async handle(request) {
      let code = 200;
      try {
        return await handle(request);
      } catch (error) {
        code = error instanceof BusError ? error.status : 500;
        throw error;
      } finally {
        metrics.ingestRequests.inc({ door: "hooks", code: String(code) });
      }
    },
  };
}

/** When it happened: a hook that waited in a spool says when it was put there (epoch ms). */
function receivedAt({ raw }: RouteRequest): number {
  const told = Number(raw.headers.get("X-Hook-Time") ?? Number.NaN);
  const now = Date.now();
  return Number.isSafeInteger(told) && told > 0 && told <= now ? told : now;
}

const late = (limitMs: number) => () =>
  new BusError("unavailable", `not done within ${limitMs} ms`);
