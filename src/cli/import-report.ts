import type { PreviewedLesson } from "../handlers/ingest/preview.ts";
import { type Reason, reasons } from "../handlers/ingest/reasons.ts";
import { printJson } from "./print.ts";
import { printable, table } from "./table.ts";

export interface ImportSum {
  readonly files: number;
  readonly ok: number;
  readonly failed: number;
  readonly cancelled: number;
  readonly stored: number;
  readonly duplicates: number;
  readonly invalid: number;
  /** Records that are no evidence, by why. */
  readonly notCounted: ReadonlyMap<Reason, number>;
  readonly lessons: readonly PreviewedLesson[];
  readonly windowHours: number;
  readonly dryRun: boolean;
}

export function printImport(sum: ImportSum, json: boolean): void {
  const { files, ok, failed, cancelled, stored, duplicates, invalid, lessons, dryRun } = sum;
  const notCounted = Object.fromEntries(sum.notCounted);
  if (json) {
    const events = { ok, failed, cancelled };
    const result = dryRun ? { dry_run: true } : { stored, duplicates };
    printJson({ files, events, ...result, invalid, not_counted: notCounted, lessons });
    return;
  }
  const words = [
    `${ok + failed + cancelled} calls in ${files} files: ${ok} worked, ${failed} failed, ${cancelled} were cancelled.`,
    dryRun
      ? "Nothing was published (--dry-run)."
      : `${stored} stored, ${duplicates} duplicates, ${invalid} invalid.`,
    ...whyNot(sum.notCounted),
    ...lessonLines(lessons, sum.windowHours),
  ];
  console.log(words.join("\n"));
}

function whyNot(notCounted: ReadonlyMap<Reason, number>): string[] {
  if (notCounted.size === 0) return [];
  const rows = [...notCounted]
    .sort((a, b) => b[1] - a[1])
    .map(([reason, count]) => [String(count), reason, reasons[reason]]);
  return ["", "No evidence:", table(["records", "reason", "because"], rows)];
}

function lessonLines(lessons: readonly PreviewedLesson[], windowHours: number): string[] {
  const window = `${windowHours} h`;
  if (lessons.length === 0) {
    return [
      "",
      `No lesson: nothing failed alike often enough within ${window}. A longer --window looks further.`,
    ];
  }
  const rows = lessons.map(({ lesson_type, task_type, signals, events, runs }) => [
    ...[lesson_type, task_type, signals.tool ?? signals.model ?? signals.provider ?? ""],
    ...[String(events), String(runs), printable(signals.error_class ?? signals.reason ?? "")],
  ]);
  const header = ["lesson", "task", "tool or model", "events", "runs", "what"];
  return ["", `Lessons within ${window}:`, table(header, rows)];
}
