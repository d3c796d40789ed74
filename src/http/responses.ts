import { BusError } from "../errors.ts";
import type { Logger } from "../log.ts";
import { type Answer, answerTo } from "../runtime/endpoint.ts";

/** An answer as a response, with the headers that its status asks for. */
export function responseOf({ status, body }: Answer): Response {
  return new Response(body as Uint8Array<ArrayBuffer>, { status, headers: headersFor(status) });
}

/** An error as endpoints answer it; of faults of ours the log has the rest. */
export function refusal(error: unknown, route: string, log: Logger): Response {
  return responseOf(answerTo(error, route, log));
}

export function json(value: unknown): Response {
  return responseOf({ status: 200, body: Buffer.from(JSON.stringify(value)) });
}

const ofSuccess = { "Content-Type": "application/json" };

function headersFor(status: number): Record<string, string> {
  if (status === 200) return ofSuccess;
  return {
    ...ofSuccess,
    ...(status === 401 && { "WWW-Authenticate": "Bearer" }),
    ...((status === 429 || status === 503) && { "Retry-After": "1" }),
  };
}

/** Any page in a browser can send what is called text; JSON it cannot without being allowed to. */
export function requireJson(type = ""): void {
  if (/^application\/([a-z0-9.+-]+\+)?json *(;|$)/i.test(type)) return;
  throw new BusError("unsupported_media_type", "send Content-Type: application/json");
}
