import { BusError } from "../errors.ts";
import type { Logger } from "../log.ts";
import { type Answer, answerTo } from "../runtime/endpoint.ts";

/** An answer as a response, with the headers that its status asks for. */
export function responseOf({ status, body }: Answer): Response {
  return new Response(new Uint8Array(body), { status, headers: headersFor(status) });
}

/** An error as endpoints answer it; of faults of ours the log has the rest. */
export function refusal(error: unknown, route: string, log: Logger): Response {
  return responseOf(answerTo(error, route, log));
}

export function json(value: unknown): Response {
  return responseOf({ status: 200, body: Buffer.from(JSON.stringify(value)) });
}

function headersFor(status: number): Record<string, string> {
  return {
    "Content-Type": "application/json",
    ...(status === 401 && { "WWW-Authenticate": "Bearer" }),
    ...((status === 429 || status === 503) && { "Retry-After": "1" }),
  };
}

/** Any page in a browser can send what is called text; JSON it cannot without being allowed to. */
export function requireJson(request: Request): void {
  const type = request.headers.get("Content-Type") ?? "";
  if (/^application\/([a-z0-9.+-]+\+)?json *(;|$)/i.test(type)) return;
  throw new BusError("unsupported_media_type", "send Content-Type: application/json");
}
