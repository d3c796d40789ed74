import { LRUCache } from "lru-cache";
import type { ExperienceEvent } from "./event.ts";
import { type Subject, subjectOf } from "./lesson.ts";
import type { Rule } from "./rules/index.ts";
import type { Scope, Signals } from "./signature.ts";

type Owner = Pick<ExperienceEvent, "tenantId" | "agentId" | "taskType">;

/** Hashing a signature costs more than all else about a storm's event; the cache only saves that. */
const subjects = new LRUCache<string, Subject>({ max: 20_000 });

/** `subjectOf`, from memory where it was asked for lately; `text` is that of `signatureText`. */
export function cachedSubject(
  rule: Rule,
  owner: Owner,
  signals: Signals,
  scope: Scope = "agent",
  text = signatureText(rule, owner, signals, scope),
): Subject {
  const cached = subjects.get(text);
  // Another set of rules in the same process (other thresholds) must not be served this one's.
  if (cached?.rule === rule) return cached;
  const subject = subjectOf(rule, owner, signals, scope);
  subjects.set(text, subject);
  return subject;
}

/** Unambiguous, because the decoder refuses NUL in every text. */
export function signatureText(
  rule: Rule,
  { tenantId, agentId, taskType }: Owner,
  signals: Signals,
  scope: Scope = "agent",
): string {
  let text = `${rule.type}\0${scope}\0${tenantId}\0${agentId}\0${taskType}`;
  for (const name in signals) text += `\0${name}\0${signals[name as keyof Signals]}`;
  return text;
}
