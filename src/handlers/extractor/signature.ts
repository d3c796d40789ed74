import { hash } from "node:crypto";
import type { ExperienceEvent } from "./event.ts";

/** The parts of a signature that apply, as stored in `agent_lessons.signals`. */
export interface Signals {
  readonly error_class?: string;
  readonly tool?: string;
  readonly provider?: string;
  readonly model?: string;
  readonly profile?: string;
  readonly reason?: string;
}

const longest = 200;
/** Beyond this nothing can reach the first 200 characters of the result, and matching stays linear. */
const considered = 2_000;

const replacements: readonly (readonly [RegExp, string])[] = [
  [/(?<![\w])(?:"[^"]*"|'[^']*'|`[^`]*`)(?![\w])/g, "<s>"],
  [/[\w.+-]{1,64}@[\w-]{1,64}(?:\.[\w-]{1,64})+/g, "<id>"],
  [/\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b/gi, "<id>"],
  [/\b0x[0-9a-f]+\b/gi, "<id>"],
  [
    /(?<![0-9a-z])(?:(?=[0-9]*[a-f])(?=[a-f]*[0-9])[0-9a-f]{8,}|[0-9a-f]{16,})(?![0-9a-z])/gi,
    "<id>",
  ],
  [/\d+(?:[.,]\d+)*/g, "<n>"],
  [/\s+/g, " "],
];

/**
 * An error class with what varies from one occurrence to the next taken out, so that one cause is
 * one signature: quoted strings `<s>`, UUIDs, long hex strings and e-mail addresses `<id>`, numbers
 * `<n>`, white space folded, at most 200 characters. `http_<status>` stays: there the number is the class.
 */
export function normaliseErrorClass(errorClass: string): string {
  if (/^http_\d{3}$/.test(errorClass)) return errorClass;
  let text = errorClass.slice(0, considered);
  for (const [pattern, placeholder] of replacements) text = text.replace(pattern, placeholder);
  const result = cut(text.trim(), longest) || "unknown";
  // A placeholder or the cut may have freed a quote or a blank for another pass.
  return result === errorClass ? result : normaliseErrorClass(result);
}

/** At most `length` UTF-16 units, never half a surrogate pair, which Postgres would refuse. */
export function cut(text: string, length: number): string {
  if (text.length <= length) return text;
  const last = text.charCodeAt(length - 1);
  return text.slice(0, last >= 0xd800 && last <= 0xdbff ? length - 1 : length);
}

/** What served the event: the tool if there is one, else provider, model and profile. */
export function servedBy(event: ExperienceEvent): Signals {
  if (event.tool !== undefined) return { tool: event.tool };
  return {
    ...(event.provider !== undefined && { provider: event.provider }),
    ...(event.model !== undefined && { model: event.model }),
    ...(event.profile !== undefined && { profile: event.profile }),
  };
}

/**
 * The identity of a lesson: lower-case hex SHA-256 over tenant, lesson type, rule version, scope,
 * agent, task type and signature, and nothing else (contract, section 2).
 */
export function lessonKey(
  rule: { readonly type: string; readonly version: number },
  event: Pick<ExperienceEvent, "tenantId" | "agentId" | "taskType">,
  signals: Signals,
): string {
  const { error_class, tool, provider, model, profile, reason } = signals;
  const parts = [error_class, tool, provider, model, profile, reason].map((part) => part ?? null);
  const identity = [
    event.tenantId,
    rule.type,
    rule.version,
    "agent",
    event.agentId,
    event.taskType,
  ];
  return hash("sha256", JSON.stringify([...identity, parts]), "hex");
}
