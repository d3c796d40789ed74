import { cleanText } from "../../schema/plain-text.ts";
import { adviceFor } from "../extractor/advice.ts";
import type { KnownLesson, Recovery } from "./lesson.ts";
import type { Wording } from "./wording.ts";

/**
 * What a lesson says, as facts: fixed templates around names, numbers and words of the closed words. A text passes
 * whole where a person answers for it. Never an order: good models distrust those from outside.
 */

/** Lessons that differ in the tool alone are said in one line. Null: this one is said alone. */
export function familyOf(lesson: KnownLesson): string | null {
  if (lesson.signals.tool === undefined || isPersons(lesson)) return null;
  const { tool: _, ...rest } = lesson.signals;
  const { scope, agentId, taskType, lessonType, threshold, windowSeconds } = lesson;
  const same = [scope, agentId, taskType, lessonType, threshold, windowSeconds, known(lesson)];
  return JSON.stringify([...same, Object.entries(rest).sort()]);
}

/** Whether a person answers for its text. */
export function isPersons({ lessonType, curation }: KnownLesson): boolean {
  return lessonType === "reviewed" || curation.approvedBy !== null;
}

/** One line about lessons of one family, or about one; it ends with a full stop. */
export function factsOf(family: readonly KnownLesson[], words: Wording): string {
  const [lesson] = family;
  if (lesson === undefined) return "";
  if (isPersons(lesson)) return signed(lesson);
  const target = listOf(family.map((one) => targetOf(one, words)));
  const each = family.length > 1 ? " each" : "";
  const times = lesson.threshold === 1 ? "once" : `${lesson.threshold} times`;
  const window = lesson.windowSeconds > 0 ? ` within ${duration(lesson.windowSeconds)}` : "";
  const last = new Date(Math.max(...family.map(({ lastSeenAt }) => lastSeenAt)));
  const often = `at least ${times}${window}${each}, last on ${last.toISOString().slice(0, 10)}`;
  const told = `${placeOf(lesson, words)}${happened(lesson, target, words)} ${often}.${known(lesson)}`;
  return family.length > 1 ? told : told + recovered(lesson, words);
}

/** How big it is and what helped; nothing where nothing has been counted. */
function recovered({ recovery }: KnownLesson, words: Wording): string {
  if (recovery === null || recovery.runsFailed === 0) return "";
  const { runsFailed, runsSeen, runsRecovered, between } = recovery;
  const size =
    runsSeen > runsFailed
      ? ` ${runsFailed} of ${runsSeen} runs failed so`
      : ` ${runsFailed} runs failed so`;
  if (runsRecovered === 0) return `${size}; none recovered.`;
  const [most] = Object.entries(between).sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
  const tool = most === undefined ? null : words.safeName(most[0]);
  if (most === undefined || tool === null) return `${size}; ${runsRecovered} recovered.`;
  return `${size}; ${runsRecovered} recovered, and ${most[1]} of these had called ${tool} in between.`;
}

/** What is known to follow from the class alone; empty where nothing certainly does. */
function known({ lessonType, signals }: KnownLesson): string {
  if (lessonType !== "error") return "";
  const fact = knownCauses[adviceFor(signals)?.name ?? ""];
  return fact === undefined ? "" : ` ${fact}`;
}

/** By the name of the advice for its class. */
const knownCauses: Readonly<Record<string, string>> = {
  context_length: "The length of the same input does not change by retrying.",
  content_filter: "The same content is refused again.",
  out_of_credit: "Credit does not come back by retrying.",
  rate_limit:
    "Such a limit ends by itself after some time; calls in quick succession meet it again.",
  authentication: "The same credentials are refused again.",
  permission: "The same rights are refused again.",
  no_such_model: "A model that does not exist under this name is not found by retrying.",
  not_found: "What was not found stays so until it is created or named otherwise.",
  too_large: "The same request stays too large.",
  invalid_request: "The same arguments are refused again.",
  server_error: "The fault was on the serving side, not in the request.",
  command_not_found: "A missing command stays missing until it is installed.",
  missing_module: "A missing module stays missing until it is installed.",
  no_match: "The same search finds nothing until what is searched changes.",
};

function happened({ lessonType, signals }: KnownLesson, target: string, words: Wording): string {
  if (lessonType === "latency") return `calls of ${target} were slow`;
  if (lessonType === "silent") {
    const reason = signals.reason === undefined ? "" : words.readable(signals.reason);
    return `no answer was given${reason === "" ? "" : ` (reason "${reason}")`}`;
  }
  return `${target} failed with "${words.readable(signals.error_class ?? "unknown")}"`;
}

function placeOf({ scope, taskType }: KnownLesson, words: Wording): string {
  if (scope === "fleet") return "Across agents, ";
  const task = words.safeName(taskType);
  return task === null || task === "unknown" ? "" : `In task ${task}, `;
}

export function targetOf({ signals }: KnownLesson, words: Wording): string {
  const { tool, provider, model, profile } = signals;
  if (tool !== undefined) return words.safeName(tool) ?? "a tool";
  const names = [provider, model, profile].filter((name) => name !== undefined);
  if (names.length === 0) return "the call";
  const safe = names.map((name) => words.safeModelName(name));
  return safe.every((name) => name !== null) ? safe.join("/") : "the model";
}

function signed({ curation, reviewer, trigger, action, avoid }: KnownLesson): string {
  const by =
    curation.approvedBy === null ? `reviewed by ${reviewer}` : `approved by ${curation.approvedBy}`;
  const text = [trigger, action, avoid && `Avoid: ${avoid}`]
    .map(oneLine)
    .filter((part) => part !== "");
  return `${text.map((part) => (/[.!?]$/.test(part) ? part : `${part}.`)).join(" ")} (Text ${oneLine(by)}.)`;
}

/** A person's text: whole, but for line breaks and characters that people do not see. */
export function oneLine(text: string): string {
  return cleanText(text).replaceAll(/\s+/g, " ").trim();
}

/** "a", "a and b", "a, b and c"; each once, whatever their order. */
function listOf(names: readonly string[]): string {
  const each = [...new Set(names)].sort();
  const last = each.pop() ?? "";
  return each.length === 0 ? last : `${each.join(", ")} and ${last}`;
}

export function duration(seconds: number): string {
  for (const [unit, length] of [
    ["day", 86_400],
    ["hour", 3_600],
    ["minute", 60],
  ] as const) {
    const count = seconds / length;
    if (Number.isInteger(count) && (unit !== "day" || count > 1))
      return `${count} ${unit}${count === 1 ? "" : "s"}`;
  }
  return `${seconds} second${seconds === 1 ? "" : "s"}`;
}

/** Lessons in words, each said once and kept for as long as the lesson is. */
export interface Facts {
  familyOf(lesson: KnownLesson): string | null;
  lineOf(family: readonly KnownLesson[]): string;
  /** The most characters that a line about some of them may have. */
  longestOf(family: readonly KnownLesson[]): number;
  /** The lesson in its three parts, as much of each as may be said. */
  textOf(lesson: KnownLesson): LessonText;
  /** With the tools that may be named. */
  recoveryOf(recovery: Recovery): WireRecovery;
}

export interface WireRecovery {
  readonly runs_failed: number;
  readonly runs_seen: number;
  readonly runs_recovered: number;
  readonly between: Record<string, number>;
}

export interface LessonText {
  readonly trigger: string;
  readonly action: string;
  readonly avoid: string;
}

function textOf(lesson: KnownLesson, words: Wording): LessonText {
  if (isPersons(lesson)) {
    const { trigger, action, avoid } = lesson;
    return { trigger: oneLine(trigger), action: oneLine(action), avoid: oneLine(avoid) };
  }
  const trigger = factsOf([lesson], words);
  const errorClass = lesson.signals.error_class ?? "unknown";
  const advice = lesson.lessonType === "error" ? adviceFor(lesson.signals) : undefined;
  if (advice === undefined) return { trigger, action: "", avoid: "" };
  const fill = (text: string) =>
    text
      .replaceAll("{target}", () => targetOf(lesson, words))
      .replaceAll("{class}", () => words.readable(errorClass));
  return { trigger, action: fill(advice.action), avoid: fill(advice.avoid) };
}

export function factsIn(words: Wording): Facts {
  const lines = new WeakMap<KnownLesson, string>();
  const texts = new WeakMap<KnownLesson, LessonText>();
  const families = new WeakMap<KnownLesson, { readonly name: string | null }>();
  function lineOf(family: readonly KnownLesson[]): string {
    const [lesson] = family;
    if (lesson === undefined || family.length > 1) return factsOf(family, words);
    const found = lines.get(lesson) ?? factsOf(family, words);
    lines.set(lesson, found);
    return found;
  }

  return {
    lineOf,
    // Of one alone more is said than of several together.
    longestOf: (family) =>
      Math.max(lineOf(family).length, ...family.map((lesson) => lineOf([lesson]).length)),
    familyOf(lesson) {
      const found = families.get(lesson) ?? { name: familyOf(lesson) };
      families.set(lesson, found);
      return found.name;
    },
    recoveryOf({ runsFailed, runsSeen, runsRecovered, between }) {
      const named = Object.entries(between).filter(([tool]) => words.safeName(tool) !== null);
      return {
        ...{ runs_failed: runsFailed, runs_seen: runsSeen, runs_recovered: runsRecovered },
        between: Object.fromEntries(named),
      };
    },
    textOf(lesson) {
      const found = texts.get(lesson) ?? textOf(lesson, words);
      texts.set(lesson, found);
      return found;
    },
  };
}
