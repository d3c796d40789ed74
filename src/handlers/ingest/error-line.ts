/** Of a tool's output, the line that says what is wrong. */

/** A line that begins with, or calls something, an error. */
const says =
  /(?:^|[\s[(])(?:\w*(?:error|exception)|err!|fatal|panic|e\d{3,})\s*(?:\]|\[|:|!|\()|\bfatal\b|\*\* \(\w/i;
const hints =
  /\b(?:error|exception|not found|no such|does not exist|denied|cannot|can't|could not|couldn't|fail(?:ed|ure|s)?|invalid|unable|refused|timed? ?out|undefined|unknown|unrecognized|unexpected|missing|ignored by|mismatch|expected|aborted|conflict|assertion|not allowed|forbidden|unauthorized|too (?:large|long|many))\b/i;
const harmless = /\b(?:0 (?:errors?|failed|failures?)|warning|warn|no errors?)\b/i;
const framed = /^\s*(?:at |File "|\d+ \||\||┃|│)/;
/** In a report that is drawn, a finding: `┃ [D] → Function is too complex`. */
const finding = /^[┃│|]\s*(?=\[\w{1,10}\]\s)/;
/** What a program is about to do. */
const progress = /(?:\.\.\.|…)$/;

/** CSI and OSC sequences (ECMA-48). */
// biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences begin with one
const colours = /\u001b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)?)/g;

const longest = 300;
/** Beyond this nothing is looked at. */
const considered = 16_384;

export interface Output {
  /** Of a command that said how it exited. */
  readonly exitCode: number | undefined;
  /** Empty where nothing was said. */
  readonly line: string;
}

/** The exit code that a command's output begins with, and the line that says what is wrong. */
export function outputOf(text: string): Output {
  const lines = linesOf(text);
  const exit = /^(?:Process exited with code|Exit code:?|exit code:?)\s*(-?\d{1,10})\b/.exec(
    lines[0] ?? "",
  )?.[1];
  const exitCode = exit === undefined ? undefined : Number(exit);
  return { exitCode, line: decisive(exit === undefined ? lines : lines.slice(1)) };
}

/** `exit code 1: Error: Cannot find module`; empty where nothing is said. */
export function errorLine(text: string): string {
  const { exitCode, line } = outputOf(text);
  if (exitCode === undefined) return line;
  return line === "" ? `exit code ${exitCode}` : `exit code ${exitCode}: ${line}`;
}

function linesOf(text: string): string[] {
  return (
    text
      .slice(0, considered)
      .replaceAll(colours, "")
      .replaceAll(/\\r?\\n|\\n/g, "\n")
      .replaceAll(/<\/?(?:tool_use_error|system-reminder|error)>/g, "")
      .split(/[\r\n]+/)
      .map((line) => line.replaceAll(/\s+/g, " ").trim())
      // What a shell puts before its own complaints.
      .map((line) => line.replace(/^(?:\(eval\):\d+|(?:\/\S*\/)?(?:ba|z|da)?sh: line \d+): /, ""))
      // Git quotes most names, but not this one: each branch would be another failure.
      .map((line) => line.replace(/(\bcurrent branch) ([^\s']+) (has no upstream)/, "$1 '$2' $3"))
      .filter((line) => line !== "")
  );
}

function decisive(lines: readonly string[]): string {
  if (lines.some((line) => line.startsWith("Traceback (most recent call last)"))) {
    const raised = lines.findLast((line) =>
      /^[A-Za-z_][\w.]*(?:Error|Exception|Exit|Interrupt)\b/.test(line),
    );
    if (raised !== undefined) return raised.slice(0, longest);
  }
  const own = lines.filter((line) => !framed.test(line));
  const found = [says, hints]
    .map((pattern) => own.findIndex((line) => pattern.test(line) && !harmless.test(line)))
    .find((index) => index >= 0);
  if (found === undefined) {
    const drawn = lines.find((line) => finding.test(line));
    if (drawn !== undefined) return drawn.replace(finding, "").slice(0, longest);
  }
  const index =
    found ??
    Math.max(
      0,
      own.findIndex((line) => !progress.test(line)),
    );
  const line = own[index] ?? lines[0] ?? "";
  // A heading says that there is something, the next line what.
  const next = /[^:]:$/.test(line) ? own[index + 1] : undefined;
  return (next === undefined ? line : `${line} ${next}`).slice(0, longest);
}
