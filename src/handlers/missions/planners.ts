import type { NatsConnection } from "@nats-io/transport-node";
import { isOutage, messageOf } from "../../errors.ts";
import { causeOf, translateNats } from "../../nats/errors.ts";
import { isUnanswered } from "../../nats/unanswered.ts";
import { unlessAborted } from "../../runtime/backoff.ts";
import { maxAnswerBytes } from "./plan.ts";
import type { Planner, PlannerAnswer, PlannerQuestion } from "./planner.ts";
import { type MissionSettings, plannerPlace } from "./settings.ts";

/** Null: none is set. */
export function openPlanner(settings: MissionSettings, nc: NatsConnection): Planner | null {
  const { missionPlanner, missionPlannerModel: model, missionPlannerKey: key } = settings;
  const place = missionPlanner === undefined ? null : plannerPlace(missionPlanner);
  if (place === null) return null;
  if (place.kind === "nats") return natsPlanner(nc, place.subject, model);
  return httpPlanner(place.url, model ?? "", key);
}

/** A request, JSON in and JSON out. */
function natsPlanner(nc: NatsConnection, subject: string, model: string | undefined): Planner {
  return {
    provider: "nats",
    ...(model !== undefined && { model }),
    async ask(question, timeoutMs, signal) {
      const body = JSON.stringify(wireQuestion(question, timeoutMs));
      try {
        const asked = nc.request(subject, body, { timeout: Math.max(1, Math.floor(timeoutMs)) });
        const reply = await unlessAborted(asked, signal, () => new Error("the replica stops"));
        const code = reply.headers?.get("Nats-Service-Error-Code");
        if (code)
          return failed("planner_error", "the planner answered with an error", Number(code));
        return { kind: "answer", payload: reply.data };
      } catch (error) {
        if (signal.aborted) return failed("stopped", messageOf(error));
        return failure(error);
      }
    },
  };
}

function failure(error: unknown): PlannerAnswer {
  if (isUnanswered(error)) {
    return failed("planner_unreachable", "nobody answers at the planner's subject");
  }
  const translated = translateNats(error);
  if (!isOutage(translated)) throw translated;
  const errorClass = translated.code === "timeout" ? "planner_timeout" : "planner_unreachable";
  return failed(errorClass, translated.message);
}

function failed(errorClass: string, problem: string, httpStatus?: number): PlannerAnswer {
  const isStatus = httpStatus !== undefined && httpStatus >= 100 && httpStatus <= 599;
  return { kind: "failed", errorClass, problem, ...(isStatus && { httpStatus }) };
}

/** What goes over NATS. */
function wireQuestion(question: PlannerQuestion, timeoutMs: number) {
  return {
    tenant_id: question.tenantId,
    user_id: question.userId,
    mission_id: question.missionId,
    agent_id: question.agentId,
    iteration_id: question.iterationId,
    due_at: question.dueAt,
    token: question.token,
    timeout_ms: Math.floor(timeoutMs),
    prompt: question.prompt,
    tools: question.tools,
  };
}

/** OpenAI's `/v1/chat/completions`, as many servers speak it. */
function httpPlanner(url: URL, model: string, key: string | undefined): Planner {
  const { href, authorization } = withoutLogin(url, key);
  const headers = {
    "content-type": "application/json",
    ...(authorization !== undefined && { authorization }),
  };
  return {
    provider: url.hostname,
    model,
    async ask({ prompt }, timeoutMs, signal) {
      const body = JSON.stringify({
        model,
        messages: [{ role: "user", content: prompt }],
        response_format: { type: "json_object" },
      });
      const until = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
      try {
        // A server that answers with another address could collect the key.
        const request = {
          method: "POST",
          headers,
          body,
          redirect: "error",
          signal: until,
        } as const;
        const response = await fetch(href, request);
        const bytes = await readAtMost(response, maxAnswerBytes * 2);
        if (!response.ok) {
          const { status } = response;
          return failed(`http_${status}`, `the planner answered HTTP ${status}`, status);
        }
        if (bytes === null) return failed("planner_answer", "the planner's answer is too long");
        return completionFrom(bytes);
      } catch (error) {
        if (signal.aborted) return failed("stopped", "the replica stops");
        if (until.aborted) return failed("planner_timeout", "the planner gave no answer in time");
        return failed("planner_unreachable", `cannot reach the planner: ${causeOf(error)}`);
      }
    },
  };
}

/** `fetch` takes no URL with a user; the login then is a header like any other. */
function withoutLogin(url: URL, key: string | undefined) {
  const plain = new URL(url);
  plain.username = "";
  plain.password = "";
  if (key !== undefined) return { href: plain.href, authorization: `Bearer ${key}` };
  if (url.username === "") return { href: plain.href };
  const login = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
  return { href: plain.href, authorization: `Basic ${Buffer.from(login).toString("base64")}` };
}

/** Null: there is more; the rest is not read. */
async function readAtMost(response: Response, most: number): Promise<Buffer | null> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response.body ?? []) {
    length += chunk.length;
    if (length > most) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** The text of the first choice, which is to be the plan, and what the server counted. */
function completionFrom(bytes: Buffer): PlannerAnswer {
  const value = parsed(bytes);
  const content = value?.choices?.[0]?.message?.content;
  if (typeof content !== "string") {
    return failed("planner_answer", "the answer is no chat completion with a text");
  }
  return {
    kind: "answer",
    payload: Buffer.from(content),
    ...countOf("tokensIn", value?.usage?.prompt_tokens),
    ...countOf("tokensOut", value?.usage?.completion_tokens),
  };
}

/** As far as it is read; any of it may be missing, or something else. */
interface Completion {
  readonly choices?: readonly ({ readonly message?: { readonly content?: unknown } } | null)[];
  readonly usage?: {
    readonly prompt_tokens?: unknown;
    readonly completion_tokens?: unknown;
  } | null;
}

function parsed(bytes: Buffer): Completion | null {
  try {
    const value: unknown = JSON.parse(bytes.toString("utf8"));
    return typeof value === "object" ? (value as Completion) : null;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

function countOf<Name extends string>(
  name: Name,
  value: unknown,
): { readonly [N in Name]?: number } {
  const isCount = Number.isSafeInteger(value) && (value as number) >= 0;
  return isCount ? ({ [name]: value } as { [N in Name]: number }) : {};
}
