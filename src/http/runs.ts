import { BusError } from "../errors.ts";
import type { RunStreams } from "../handlers/runs/follow.ts";
import type { Caller } from "./route.ts";

/** Server-sent events of a run, from a cursor on: `Last-Event-ID`, else `?after=`. */
export async function followRun(
  request: Request,
  runId: string,
  caller: Pick<Caller, "tenantId">,
  runStreams: RunStreams | null,
): Promise<Response> {
  if (runStreams === null) {
    throw new BusError("not_found", "this replica hosts no runs: see EXPERIENCE_CONCERNS");
  }
  const tenantId = tenantFor(caller, request);
  requireId("run id", runId);
  const after = new URL(request.url).searchParams.get("after");
  const from = request.headers.get("Last-Event-ID") || after || "";
  if (!/^\d{0,16}$/.test(from) || !Number.isSafeInteger(Number(from))) {
    throw new BusError("bad_request", "a cursor is a whole number from 0 on");
  }
  const stream = await runStreams.open({ tenantId, runId }, from === "" ? -1 : Number(from));
  // Told so, a browser does not come back to a run that is over.
  if (stream === null) return new Response(null, { status: 204 });
  return new Response(stream, {
    headers: {
      "Content-Type": "text/event-stream; charset=utf-8",
      "Cache-Control": "no-store",
      "X-Accel-Buffering": "no",
    },
  });
}

/** The tenant of the token; of one for all tenants, the one that the request names. */
export function tenantFor({ tenantId }: Pick<Caller, "tenantId">, request: Request): string {
  if (tenantId !== "*") return tenantId;
  const asked = request.headers.get("X-Tenant-ID") ?? "default";
  requireId("X-Tenant-ID", asked);
  return asked;
}

export function requireId(name: string, id: string): void {
  if (id.length < 1 || id.length > 128 || id.includes("\u0000")) {
    throw new BusError("bad_request", `${name} must have 1 to 128 characters`);
  }
}
