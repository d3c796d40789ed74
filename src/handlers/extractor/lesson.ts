import { runsPrograms } from "./advice.ts";
import type { ExperienceEvent } from "./event.ts";
import { distinct, type Entry } from "./evidence.ts";
import { shortened } from "./rules/error-class/text.ts";
import type { Rule, Slots } from "./rules/index.ts";
import { lessonKey, type Scope, type Signals } from "./signature.ts";
import { nameOf, type WorkedInstead } from "./successes.ts";

/** Whose evidence it is: what all events of one signature share. */
export interface Subject {
  readonly rule: Rule;
  readonly lessonKey: string;
  readonly scope: Scope;
  readonly tenantId: string;
  readonly agentId: string;
  readonly taskType: string;
  readonly signals: Signals;
}

export function subjectOf(
  rule: Rule,
  event: Pick<ExperienceEvent, "tenantId" | "agentId" | "taskType">,
  signals: Signals,
  scope: Scope = "agent",
): Subject {
  const { tenantId, agentId, taskType } = event;
  const key = lessonKey(rule, event, signals, scope);
  return { rule, lessonKey: key, scope, tenantId, agentId, taskType, signals };
}

export interface SightingEvidence {
  /** Distinct runs, where an event without a run counts for itself: what the threshold is held against. */
  readonly count: number;
  readonly threshold: number;
  readonly window_seconds: number;
  /** ISO 8601, event times. */
  readonly first_ts: string;
  readonly last_ts: string;
  readonly event_ids: readonly string[];
  /** Of the events that have one. */
  readonly run_ids: readonly string[];
}

export interface LessonEvidence extends SightingEvidence {
  /** Tools or provider/model/profile that succeeded lately for the same agent and task. */
  readonly worked_instead: readonly string[];
}

/** A lesson as learned, before it has a row. */
export interface Lesson {
  readonly lessonKey: string;
  readonly tenantId: string;
  readonly scope: Scope;
  readonly agentId: string;
  readonly taskType: string;
  readonly lessonType: string;
  readonly trigger: string;
  readonly action: string;
  readonly avoid: string;
  readonly signals: Signals;
  readonly evidence: LessonEvidence;
  readonly raw: Record<string, unknown>;
  readonly expiresAt: Date | null;
}

/** The row of `agent_lessons` in JSON, as published; `ts` and `expires_at` are ISO 8601. */
export interface LessonRow {
  readonly lesson_id: string;
  readonly lesson_key: string;
  readonly ts: string;
  readonly tenant_id: string;
  readonly scope: string;
  readonly agent_id: string;
  readonly task_type: string;
  readonly lesson_type: string;
  readonly trigger: string;
  readonly action: string;
  readonly avoid: string;
  readonly signals: Signals;
  readonly evidence: LessonEvidence;
  readonly raw: Record<string, unknown>;
  readonly expires_at: string | null;
}

/** That only the reader of windows finds, and so publishes: a fleet's, or one of slow failures alone. */
export function isWide({ scope, raw }: Pick<LessonRow, "scope" | "raw">): boolean {
  return scope === "fleet" || raw["window"] === "slow";
}

export interface SightingRow {
  readonly lessonKey: string;
  readonly windowStart: Date;
  readonly evidence: SightingEvidence;
}

/** What evidence is held against. */
export interface Measure {
  /** K. */
  readonly threshold: number;
  readonly windowSeconds: number;
  /** The window that proves it, where that of `EXPERIENCE_WINDOW_SECONDS` does not. */
  readonly window?: "slow";
}

/** The lesson that `entries` (at least K distinct runs within one window) prove. */
export function lessonFrom(
  subject: Subject,
  entries: readonly Entry[],
  worked: WorkedInstead,
  measure: Measure,
): Lesson {
  const { rule, signals } = subject;
  const slots = slotsFor(subject, measure);
  const { trigger, action, avoid } = rule.wording(slots);
  return {
    lessonKey: subject.lessonKey,
    tenantId: subject.tenantId,
    scope: subject.scope,
    agentId: subject.agentId,
    taskType: subject.taskType,
    lessonType: rule.type,
    trigger,
    action: action + succeededLately(action, signals, worked.others),
    avoid,
    signals,
    evidence: {
      ...sightingEvidence(entries, measure),
      worked_instead: worked.others,
    },
    raw: {
      rule: rule.type,
      rule_version: rule.version,
      ...(measure.window && { window: measure.window }),
    },
    expiresAt: null,
  };
}

export function sightingFrom(
  { lessonKey }: Subject,
  window: { readonly index: number; readonly entries: readonly Entry[] },
  measure: Measure,
): SightingRow {
  return {
    lessonKey,
    windowStart: new Date(window.index * measure.windowSeconds * 1000),
    evidence: sightingEvidence(window.entries, measure),
  };
}

function sightingEvidence(
  entries: readonly Entry[],
  { threshold, windowSeconds }: Measure,
): SightingEvidence {
  const times = entries.map(([, ts]) => ts);
  const eventIds = [...new Set(entries.map(([id]) => id))];
  return {
    count: distinct(entries),
    threshold,
    window_seconds: windowSeconds,
    first_ts: new Date(Math.min(...times)).toISOString(),
    last_ts: new Date(Math.max(...times)).toISOString(),
    event_ids: eventIds,
    run_ids: [...new Set(entries.flatMap(([, , runId]) => (runId == null ? [] : [runId])))],
  };
}

function slotsFor(
  { scope, agentId, taskType, signals }: Subject,
  { threshold, windowSeconds }: Measure,
): Slots {
  const target = nameOf(signals);
  const times = threshold === 1 ? "once" : `${threshold} times`;
  return {
    who: scope === "fleet" ? "Several agents" : `Agent ${plain(agentId)}, task ${plain(taskType)}`,
    target: target === "" ? "" : plain(target),
    signals,
    errorClass: plain(signals.error_class ?? "unknown"),
    reason: signals.reason === undefined ? "" : plain(signals.reason),
    often: `${times} within ${duration(windowSeconds)}`,
  };
}

/**
 * Another way, where it is certain that this one does not serve; without that it would be a list of what happened, and so
 * it is of programs, which do not stand in for each other.
 */
function succeededLately(action: string, { tool }: Signals, names: readonly string[]): string {
  if (action === "" || names.length === 0) return "";
  if (tool !== undefined && runsPrograms(tool)) return "";
  return ` Succeeded lately in this task: ${names.map(plain).join(", ")}.`;
}

/** Characters of a slot. */
const longestSlot = 80;

/** Safe to put into a lesson's text: at most 80 characters, whole words, none that could be markup or code. */
export function plain(text: string): string {
  const kept = withoutApostrophes(text)
    .replaceAll(/[^A-Za-z0-9 _.:/<>+-]+/g, " ")
    .replaceAll(/ +/g, " ")
    .trim();
  if (kept.length <= longestSlot) return kept || "unnamed";
  // Where an exception's name is long, its last part says most.
  return shortened(kept.replace(/^(?:\w+\.)+(?=\w+: )/, ""), longestSlot).trim();
}

/** "can't" must not become "can t". */
function withoutApostrophes(text: string): string {
  if (!text.includes("'")) return text;
  return text
    .replaceAll(/\bcan't\b/gi, "cannot")
    .replaceAll(/(?<=[a-z])n't\b/gi, " not")
    .replaceAll(/(?<=\w)'(?=\w)/g, "");
}

function duration(seconds: number): string {
  for (const [unit, length] of [
    ["hour", 3600],
    ["minute", 60],
  ] as const) {
    const count = seconds / length;
    if (Number.isInteger(count)) return `${count} ${unit}${count === 1 ? "" : "s"}`;
  }
  return `${seconds} second${seconds === 1 ? "" : "s"}`;
}
