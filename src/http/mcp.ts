import { BusError, type ErrorCode } from "../errors.ts";
import type { Answer } from "../runtime/endpoint.ts";

/** Streamable HTTP (MCP), without sessions: any replica answers any request. */
export async function serveMcp(
  request: Request,
  ask: (endpoint: string, payload: object) => Promise<Answer>,
): Promise<Response> {
  // It brings much along, and most replicas are never asked.
  const [{ createMcpHandler }, { openMcpServer }] = await Promise.all([
    import("@modelcontextprotocol/server"),
    import("../mcp/tools.ts"),
  ]);
  const factory = () =>
    openMcpServer(async (endpoint, payload) => replyOf(await ask(endpoint, payload)));
  return await createMcpHandler(factory, { maxSubscriptions: 1 }).fetch(request);
}

/** What an endpoint answered; its error as it was thrown there. */
function replyOf({ status, body }: Answer): unknown {
  const value: unknown = JSON.parse(Buffer.from(body).toString());
  if (status === 200) return value;
  const { code, message } = value as { readonly code: ErrorCode; readonly message: string };
  throw new BusError(code, message);
}
