import { plain } from "../extractor/lesson.ts";
import { nameOf } from "../extractor/successes.ts";
import type { Figures } from "./figures.ts";

/** What failed and how, in one line: identifiers and numbers around fixed words. */
export function headline(
  figures: Pick<Figures, "lesson_type" | "signals" | "scope" | "agent_id" | "tasks">,
): string {
  const { lesson_type, signals, scope, agent_id, tasks } = figures;
  const target = plain(nameOf(signals) || "the call");
  const who = scope === "fleet" ? "all agents" : plain(agent_id);
  const [task = ""] = tasks;
  const where =
    scope === "fleet" ? "" : tasks.length > 1 ? `, ${tasks.length} tasks` : `, ${plain(task)}`;
  return `${whatHappened(lesson_type, target, signals)} (${who}${where})`;
}

function whatHappened(type: string, target: string, signals: Figures["signals"]): string {
  if (type === "latency") return `${target} was slow`;
  if (type === "silent") {
    return signals.reason === undefined ? "no answer" : `no answer: ${plain(signals.reason)}`;
  }
  return `${target} failed with "${plain(signals.error_class ?? "unknown")}"`;
}

/** "58 % of 500 runs, 684 failures" */
export function size({ runs_failed, runs_seen, events }: Figures): string {
  const share = runs_seen === 0 ? "" : `${percent(runs_failed, runs_seen)} of ${runs_seen} runs`;
  const failures = `${events} failure${events === 1 ? "" : "s"}`;
  return share === "" ? failures : `${share}, ${failures}`;
}

export function percent(part: number, whole: number): string {
  return `${Math.round((100 * part) / whole)} %`;
}

/** A tool that so large a part of the recovered runs called before they succeeded is worth naming. */
const telling = 0.6;
/** Of fewer recoveries nothing follows. */
const fewest = 2;

/** What is known of recovery, as facts; empty where nothing is. */
export function recovery(figures: Figures): string {
  const { runs_recovered, runs_to_recover, between, next_steps, next_worked } = figures;
  const { unchanged_retries, signals } = figures;
  const told: string[] = [];
  if (runs_recovered > 0) {
    told.push(`${runs_recovered} of ${runs_to_recover} runs that failed so recovered`);
    const [tool, calls = 0] = Object.entries(between).sort(([, a], [, b]) => b - a)[0] ?? [];
    if (tool !== undefined && runs_recovered >= fewest && calls >= telling * runs_recovered) {
      const many = calls === runs_recovered ? `all ${calls}` : `${calls}`;
      told.push(`before the call that succeeded ${many} had called ${plain(tool)}`);
    }
  } else if (next_worked > 0) {
    told.push(`the next step worked ${next_worked} of ${next_steps} times`);
  } else if (runs_to_recover > 0) {
    told.push(`none of ${runs_to_recover} runs recovered`);
  }
  if (unchanged_retries >= fewest) {
    const target = plain(nameOf(signals) || "it");
    told.push(`calling ${target} again at once failed in the same way ${unchanged_retries} times`);
  }
  const text = told.join("; ");
  return text === "" ? "" : `${text[0]?.toUpperCase()}${text.slice(1)}.`;
}

type Trending = Pick<
  Figures,
  "runs_failed" | "runs_seen" | "late_runs_failed" | "late_runs_seen" | "first_at" | "last_at"
>;

/** Whether the share of runs grew or shrank in the second half of the time. */
export function trend(figures: Trending): "rising" | "falling" | "steady" {
  const { runs_failed, runs_seen, late_runs_failed, late_runs_seen } = figures;
  if (figures.first_at === figures.last_at) return "steady";
  const early = (runs_failed - late_runs_failed) / Math.max(1, runs_seen - late_runs_seen);
  const late = late_runs_failed / Math.max(1, late_runs_seen);
  if (late > 1.5 * early && late_runs_failed > 1) return "rising";
  return late < early / 1.5 ? "falling" : "steady";
}
