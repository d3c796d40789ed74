import { jsonOf, printJson } from "./print.ts";
import type { StatusReport } from "./sample.ts";
import { printable, table } from "./table.ts";

export interface Screen {
  show(report: StatusReport): void;
  /** What keeps it from showing new figures, above the last ones, while it goes on trying; on several lines. */
  showProblem(text: string): void;
  close(): void;
}

const control = {
  hideCursor: "\u001b[?25l",
  showCursor: "\u001b[?25h",
  home: "\u001b[H",
  clearLine: "\u001b[K",
  clearBelow: "\u001b[J",
  clearAll: "\u001b[2J",
  dim: "\u001b[2m",
  normal: "\u001b[22m",
} as const;

/** In place on a terminal; elsewhere one after another, as JSON a line each where there are to be more. */
export function openScreen(options: { json: boolean; isLive: boolean }): Screen {
  const { json, isLive } = options;
  const inPlace = isLive && !json && process.stdout.isTTY === true;

  /** A terminal that does not know its size says 0. */
  function draw(text: string): void {
    if (!inPlace) {
      console.log(text);
      return;
    }
    const lines = text.split("\n").slice(0, Math.max(1, (process.stdout.rows || 24) - 1));
    const { home, clearLine, clearBelow } = control;
    process.stdout.write(home + lines.map((line) => `${line}${clearLine}\n`).join("") + clearBelow);
  }

  const roomFor = () => (inPlace ? (process.stdout.rows || 24) - 1 : Number.POSITIVE_INFINITY);
  let last: StatusReport | null = null;

  if (inPlace) process.stdout.write(control.hideCursor + control.clearAll);
  return {
    show(report) {
      last = report;
      const text = () => textOf(report, roomFor());
      if (json && isLive) console.log(jsonOf(report));
      else if (json) printJson(report);
      else draw(isLive && !inPlace ? `${text()}\n` : text());
    },
    showProblem(text) {
      const [first, ...more] = text.split("\n").map(printable);
      const lines = [`experience-bus: ${first}; trying again`, ...more].join("\n");
      if (!inPlace) console.error(lines);
      else if (last === null) draw(lines);
      else draw(`${lines}\n${dimmed(textOf(last, roomFor() - lines.split("\n").length))}`);
    },
    close() {
      if (inPlace) process.stdout.write(control.showCursor);
    },
  };
}

/** Line by line: a terminal forgets how to write where a line is cleared. */
function dimmed(text: string): string {
  return text
    .split("\n")
    .map((line) => control.dim + line + control.normal)
    .join("\n");
}

/**
 * What calls for action comes first. Where there are not so many lines, the space between the sections goes, then
 * replicas, which are all alike.
 */
export function textOf(report: StatusReport, lines = Number.POSITIVE_INFINITY): string {
  const all = sectionsOf(report, report.replicas.length);
  const spaced = all.join("\n\n");
  const tooMany = all.join("\n").split("\n").length - lines;
  if (spaced.split("\n").length <= lines) return spaced;
  if (tooMany <= 0) return all.join("\n");
  // The header has their number.
  return sectionsOf(report, Math.max(1, report.replicas.length - tooMany)).join("\n");
}

function sectionsOf(report: StatusReport, mostReplicas: number): string[] {
  const { lessons, lessons_per_minute, lessons_unpublished, dead_letters_open } = report;
  const { length: replicas } = report.replicas;
  const shown = report.replicas.slice(0, mostReplicas);
  const urgent = [
    ["dead letters open", `${dead_letters_open}${byDurable(report)}`, dead_letters_open > 0],
    ["lessons to be published", String(lessons_unpublished), lessons_unpublished > 0],
  ] as const;
  const rows = [
    ["lessons", `${counts(lessons)}; ${figure(lessons_per_minute)} a minute`, false],
    ["sightings", String(report.sightings), false],
    ["users with features", String(report.feature_rows), false],
    ["runs", counts(report.runs), false],
  ] as const;
  const ordered = [...urgent, ...rows].sort((a, b) => Number(b[2]) - Number(a[2]));
  return [
    table(
      ["WHAT", "NOW"],
      ordered.map(([what, now, isUrgent]) => [isUrgent ? `! ${what}` : what, now]),
    ),
    table(
      [`REPLICAS ${replicas}`, "VERSION", "HOST", "UP SINCE"],
      shown.map(({ instance, version, host, started }) => [
        ...[instance, version, host ?? "-"],
        started.replace(/\.\d+Z$/, "Z"),
      ]),
    ),
    table(
      ["CONSUMER", "PENDING", "ACK PENDING", "REDELIVERED", "ACKED/S"],
      Object.entries(report.consumers).map(([name, of]) => [
        ...[name, String(of.pending), String(of.ack_pending), String(of.redelivered)],
        figure(of.acked_per_second),
      ]),
    ),
    table(
      ["STREAM", "MESSAGES", "MESSAGES/S", "LAST"],
      Object.entries(report.streams).map(([name, of]) => [
        ...[name, String(of.messages), figure(of.messages_per_second)],
        of.last_ts?.replace(/\.\d+Z$/, "Z") ?? "-",
      ]),
    ),
  ];
}

function figure(value: number | null): string {
  return value === null ? "-" : String(value);
}

function counts(of: Readonly<Record<string, number>>): string {
  return (
    Object.entries(of)
      .map(([name, count]) => `${count} ${name}`)
      .join(", ") || "none"
  );
}

function byDurable({ dead_letters_by_durable: of }: StatusReport): string {
  return Object.keys(of).length === 0 ? "" : `: ${counts(of)}`;
}
