import { jsonOf, printJson } from "./print.ts";
import type { StatusReport } from "./sample.ts";
import { printable, table } from "./table.ts";

export interface Screen {
  show(report: StatusReport): void;
  /** What keeps it from showing figures, instead of them, while it goes on trying; on several lines. */
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

  if (inPlace) process.stdout.write(control.hideCursor + control.clearAll);
  return {
    show(report) {
      if (json && isLive) console.log(jsonOf(report));
      else if (json) printJson(report);
      else draw(isLive && !inPlace ? `${textOf(report)}\n` : textOf(report));
    },
    showProblem(text) {
      const [first, ...more] = text.split("\n").map(printable);
      const lines = [`experience-bus: ${first}; trying again`, ...more].join("\n");
      if (inPlace) draw(lines);
      else console.error(lines);
    },
    close() {
      if (inPlace) process.stdout.write(control.showCursor);
    },
  };
}

export function textOf(report: StatusReport): string {
  const { lessons, lessons_per_minute, lessons_unpublished, dead_letters_open } = report;
  const sections = [
    table(
      [`REPLICAS ${report.replicas.length}`, "VERSION", "HOST", "UP SINCE"],
      report.replicas.map(({ instance, version, host, started }) => [
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
    table(
      ["WHAT", "NOW"],
      [
        ["lessons", `${counts(lessons)}; ${figure(lessons_per_minute)} a minute`],
        ["lessons to be published", String(lessons_unpublished)],
        ["sightings", String(report.sightings)],
        ["users with features", String(report.feature_rows)],
        ["runs", counts(report.runs)],
        ["dead letters open", `${dead_letters_open}${byDurable(report)}`],
      ],
    ),
  ];
  return sections.join("\n\n");
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
