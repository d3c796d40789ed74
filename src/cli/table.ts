/**
 * Columns as wide as their widest cell; the last one takes what the terminal has left, and is cut there.
 * Elsewhere nothing is cut. A terminal that does not know its width says 0. Control characters, which a
 * message may hold, do not reach the terminal.
 */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [header, ...rows].map((row) => row.map(printable));
  const widths = header.map((_, i) => Math.max(...lines.map((row) => row[i]?.length ?? 0)));
  const most = process.stdout.isTTY ? process.stdout.columns || 80 : Number.POSITIVE_INFINITY;
  return lines
    .map((row) => row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join("  "))
    .map((line) => line.trimEnd())
    .map((line) => (line.length > most ? `${line.slice(0, most - 1)}…` : line))
    .join("\n");
}

/** One thing, a field a line. */
export function fieldsOf(value: object): string {
  const rows = Object.entries(value).map(([name, one]) => [name, cellOf(one)]);
  return table(["FIELD", "VALUE"], rows);
}

function cellOf(value: unknown): string {
  if (value === null || value === "") return "-";
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** The same, its lines kept apart. */
export function printableLines(text: string): string {
  return text.split("\n").map(printable).join("\n");
}

/** Text of somebody else's, on one line, without anything that a terminal would obey. */
export function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029]+/gu, " ");
}
