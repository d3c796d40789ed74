import type { ClientRequest, RequestOptions } from "node:http";
import { homedir } from "node:os";
import { join } from "node:path";
import { messageOf } from "../errors.ts";
import type { Environment } from "../settings/environment.ts";
import { appendTo, type Spooled, takeFrom } from "./hook-spool.ts";

/** Of the 300 ms; the start of the process has taken its own part, and ending takes some. */
const limitMs = 250;
const leastMs = 60;
/** What an agent gives to a hook; more is no hook. */
const mostBytes = 8 * 1_024 * 1_024;

/** On a machine that is busy the time may be over before the first look at what is there. */
const turnsToRead = 20;
const turn = () => new Promise((resolve) => setImmediate(resolve));

const remainingMs = () => Math.round(Math.max(leastMs, limitMs - performance.now()));

/** Sends one hook, and then what waits, until the time is over. Never rejects. */
export async function passOn(agent: string, env: Environment): Promise<void> {
  const deadline = AbortSignal.timeout(remainingMs());
  const spool = env["EXPERIENCE_SPOOL"] || join(homedir(), ".experience-bus", "hooks.jsonl");
  try {
    const body = await readInput(deadline);
    JSON.parse(body);
    const hook: Spooled = { agent, receivedAt: Date.now(), body };
    try {
      const answer = await send(hook, env, deadline);
      if (answer.trim() !== "" && answer.trim() !== "{}") console.log(answer);
    } catch (error) {
      if (!(error instanceof Refused)) await appendTo(spool, [hook]);
      throw error;
    }
    await sendWaiting(spool, env, deadline);
  } catch (error) {
    if (!env["EXPERIENCE_HOOK_DEBUG"]) return;
    const { printable } = await import("./table.ts");
    console.error(`experience-bus: ${printable(messageOf(error))}`);
  }
}

async function readInput(signal: AbortSignal): Promise<string> {
  const parts: Buffer[] = [];
  let bytes = 0;
  // An agent that never closes it must not keep us; but what has arrived by then is read.
  signal.addEventListener("abort", async () => {
    for (let i = 0; i < turnsToRead; i++) await turn();
    process.stdin.destroy();
  });
  for await (const part of process.stdin) {
    bytes += part.length;
    if (bytes > mostBytes) throw new Error(`a hook has at most ${mostBytes} bytes`);
    parts.push(part);
  }
  return Buffer.concat(parts).toString("utf8");
}

/** The answer. Throws `Refused` for what is refused for ever; whatever else it throws, the hook is to come again later. */
async function send(
  { agent, receivedAt, body }: Spooled,
  env: Environment,
  signal: AbortSignal,
): Promise<string> {
  const base = env["EXPERIENCE_URL"] || "http://127.0.0.1:9109";
  const token = env["EXPERIENCE_TOKEN"];
  const { status, text } = await post(
    new URL(`/ingest/hooks/${encodeURIComponent(agent)}`, base),
    {
      headers: {
        "Content-Type": "application/json",
        "Content-Length": Buffer.byteLength(body),
        "X-Hook-Time": String(receivedAt),
        ...(token && { Authorization: `Bearer ${token}` }),
      },
      signal,
    },
    body,
  );
  if (status >= 200 && status < 300) return text;
  // A service that does not take hooks yet, or a token to be mended: keep it.
  const isFinal = status === 400 || status === 413;
  if (isFinal) throw new Refused(`refused with ${status}: ${text}`);
  throw new Error(`answered ${status}: ${text}`);
}

/** `fetch` would do, but takes as long to load as everything else here together. */
async function post(
  url: URL,
  options: RequestOptions,
  body: string,
): Promise<{ readonly status: number; readonly text: string }> {
  const { request } =
    url.protocol === "https:" ? await import("node:https") : await import("node:http");
  return await new Promise((resolve, reject) => {
    const sent: ClientRequest = request(url, { ...options, method: "POST" }, async (response) => {
      try {
        const parts: Buffer[] = [];
        for await (const part of response) parts.push(part);
        resolve({ status: response.statusCode ?? 0, text: Buffer.concat(parts).toString() });
      } catch (error) {
        reject(error);
      }
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

class Refused extends Error {}

/** Sent at once: there is little time, and an answer takes as long for several as for one. */
const together = 8;

/** The oldest first; what cannot be sent goes back. */
async function sendWaiting(spool: string, env: Environment, signal: AbortSignal): Promise<void> {
  const waiting = await takeFrom(spool);
  const left: Spooled[] = [];
  while (waiting.length > 0 && left.length === 0 && !signal.aborted) {
    const some = waiting.splice(0, together);
    const results = await Promise.allSettled(some.map((hook) => send(hook, env, signal)));
    const isLeft = (_: Spooled, i: number) => {
      const result = results[i];
      return result?.status === "rejected" && !(result.reason instanceof Refused);
    };
    left.push(...some.filter(isLeft));
  }
  if (left.length + waiting.length > 0) await appendTo(spool, [...left, ...waiting]);
}
