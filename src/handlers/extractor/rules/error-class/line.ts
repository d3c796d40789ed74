/**
 * Which line of a stack trace or of a program's output says what is wrong. Each reader knows one kind of output; the first
 * that finds its kind decides. A reader is linear in the text: it looks at each line a bounded number of times.
 */
interface Reader {
  /** Whose output it reads. */
  readonly of: string;
  readonly find: (lines: readonly string[], indents: readonly number[]) => string | null;
}

const blank = (line: string | undefined) => line === undefined || line.trim() === "";

/** An exception's name as programming languages write it, at the beginning of a line. */
const exceptionName =
  /^(?:[A-Za-z_$][\w$]*[.:\\]{1,2})*[A-Za-z_$][\w$]*(?:Error|Exception|Warning|Failure|Fault|Exit|Interrupt|Timeout|Iteration|Cancelled|Refused|Denied|Exceeded|DoesNotExist|NotFound)\d*(?:\s*\[[A-Z_]+\])?(?=:|\s*$|\s*\()/;

/** A name that may be an exception's where only an exception can be: after the frames of a traceback. */
const anyName = /^[A-Za-z_][\w.]*(?:: .*|:)?$/;

const frame = {
  python: /^\s*File ".*", line \d+/,
  traceback: /^\s*(?:\+ )?(?:Exception Group )?Traceback \(most recent call last\):/,
  at: /^\s+at (?:async |new )?[\w.$<>/@[\]`~?: -]{0,200}(?:\(.*\)|:\d+(?::\d+)?|\[.*\]|$)/,
  jvmMore: /^\s+\.\.\. \d+ (?:more|common frames omitted)/,
};

/** The first line after frames that is indented no deeper than their header: the last one that the text has. */
function pythonException(lines: readonly string[], indents: readonly number[]): string | null {
  let found: string | null = null;
  for (let i = 0; i < lines.length; i++) {
    const isHeader = frame.traceback.test(lines[i] as string);
    if (!isHeader && !frame.python.test(lines[i] as string)) continue;
    const depth = isHeader ? (indents[i] as number) : Math.max(0, (indents[i] as number) - 2);
    let end = i + 1;
    while (end < lines.length && (blank(lines[end]) || (indents[end] as number) > depth)) end++;
    const line = lines[end]?.trim() ?? "";
    if (exceptionName.test(line)) found = line;
    else if (anyName.test(line)) found = nextException(lines, end + 1) ?? line;
    i = end - 1;
  }
  return found;
}

/** What the program printed may have come between the frames. */
function nextException(lines: readonly string[], from: number): string | null {
  const rest = lines.slice(from, from + 20);
  const end = rest.findIndex((line) => frame.traceback.test(line) || frame.python.test(line));
  return (
    rest.slice(0, end === -1 ? undefined : end).find((line) => exceptionName.test(line)) ?? null
  );
}

/** `Caused by:` and `[cause]:` name what is behind the exception before them. */
const cause = /^\s*(?:Caused by:|\[cause\]:|(?:Wrapped by|Root cause):)\s*(.+?)\s*\{?$/;

function jvmOrJavaScript(lines: readonly string[]): string | null {
  const last = lines.findLast((line) => cause.test(line));
  if (last !== undefined) return cause.exec(last)?.[1] ?? null;
  const first = lines.findIndex((line) => frame.at.test(line));
  if (first === -1) return null;
  let header: string | null = null;
  for (let i = first - 1; i >= 0 && i >= first - 30; i--) {
    const line = (lines[i] as string).trim();
    if (line === "" && header !== null) break;
    if (line === "") continue;
    header = header ?? line;
    const name = named(line);
    if (name !== null) return name;
  }
  return header === null ? null : innermost(header);
}

const beforeName =
  /^(?:Exception in thread "[^"]*" |Uncaught (?:exception )?(?:\(in promise\) )?|Unhandled (?:exception|rejection)[.:]? (?:\(?rejection id: \d+\)?:? )?|\[?(?:ERROR|FATAL|error)\]?:? |PHP |Fatal error: +Uncaught )/;

/** The line from the name of an exception on, which may stand behind a log's prefix. */
function named(line: string): string | null {
  let rest = line;
  for (let i = 0; i < 3; i++) rest = rest.replace(beforeName, "");
  if (exceptionName.test(rest)) return innermost(rest);
  const inside = /(?:^|[\s\])])((?:[\w$]+\.)*[A-Z]\w*(?:Error|Exception): .*)$/.exec(rest);
  return inside?.[1] === undefined ? null : innermost(inside[1]);
}

/** .NET writes the exceptions behind one on the same line. */
function innermost(line: string): string {
  return line.split(" ---> ").at(-1) ?? line;
}

function firstMatch(pattern: RegExp) {
  return (lines: readonly string[]) =>
    picked(
      lines.find((line) => pattern.test(line)),
      pattern,
    );
}

function lastMatch(pattern: RegExp) {
  return (lines: readonly string[]) =>
    picked(
      lines.findLast((line) => pattern.test(line)),
      pattern,
    );
}

/** The pattern's group if it has one, else the line. */
function picked(line: string | undefined, pattern: RegExp): string | null {
  if (line === undefined) return null;
  return (pattern.exec(line)?.[1] ?? line).trim();
}

function rustPanic(lines: readonly string[]): string | null {
  const at = lines.findLastIndex((line) => /^\s*thread '.*'(?: \(\d+\))? panicked at /.test(line));
  if (at === -1) return null;
  const old = /panicked at '(.*)', \S+:\d+:\d+$/.exec(lines[at] as string);
  return `panicked: ${old?.[1] ?? lines.slice(at + 1).find((line) => !blank(line)) ?? ""}`;
}

/** The last failing test's own words; a name of an exception among them rather than a comparison. */
function pytest(lines: readonly string[]): string | null {
  const ofTest = lines.flatMap((line, i) => (/^E {2,}\S/.test(line) ? [i] : []));
  const last = ofTest.at(-1);
  if (last === undefined) return null;
  let first = last;
  while (first > 0 && /^E(?: |$)/.test(lines[first - 1] as string)) first--;
  const block = lines.slice(first, last + 1).map((line) => line.slice(1).trim());
  return (
    block.find((line) => exceptionName.test(line)) ?? block.find((line) => line !== "") ?? null
  );
}

/** `● suite › test`, then what was expected. */
function jest(lines: readonly string[]): string | null {
  const title = lines.findIndex((line) => /^\s*(?:●|✕|×|FAIL\b).* [›>] /.test(line));
  if (title === -1) return null;
  const rest = lines.slice(title + 1, title + 15).map((line) => line.trim());
  return (
    rest.find((line) => exceptionName.test(line)) ??
    rest.find((line) => /^expect\(|^(?:Expected|expected)\b/.test(line)) ??
    null
  );
}

/** What C++ says last: which exception, and its own words. */
function cppException(lines: readonly string[]): string | null {
  const at = lines.findIndex((line) =>
    line.includes("terminate called after throwing an instance"),
  );
  const name = /instance of ['"`]([^'"`]+)['"`]/.exec(lines[at] ?? "")?.[1];
  if (name === undefined) return null;
  const what = /^\s*what\(\): +(.*)$/.exec(lines[at + 1] ?? "")?.[1] ?? "";
  return what === "" || what === name ? name : `${name}: ${what}`;
}

const shellReason =
  "(?:command not found|not found|No such file or directory|Permission denied|Is a directory|Not a directory|File exists|Directory not empty|cannot execute.*|syntax error.*|Text file busy|Argument list too long|Operation not permitted|Broken pipe|No space left on device|Read-only file system|unbound variable|Killed|(?:invalid|unrecognized|illegal|unknown) option.*)";

const readers: readonly Reader[] = [
  { of: "Python", find: pythonException },
  { of: "Java, JavaScript, .NET", find: jvmOrJavaScript },
  { of: "C++", find: cppException },
  { of: "Rust", find: rustPanic },
  { of: "Go", find: lastMatch(/^\s*((?:panic|fatal error): .*?)(?: \[recovered\])?$/) },
  { of: "Elixir", find: lastMatch(/^\s*\*\* \((\w[\w.]*Error\) .*)$/) },
  {
    of: "Ruby",
    find: firstMatch(/^\S+\.rb>?:\d+:in [`'].*?': (.*\([A-Z]\w*(?:::\w+)*\))$/),
  },
  { of: "PHP", find: firstMatch(/^(?:PHP )?(?:Fatal|Parse) error: +(?:Uncaught )?(.*)$/) },
  { of: "pytest", find: pytest },
  { of: "jest", find: jest },
  {
    of: "compilers: the first error, of which the others follow",
    find: firstMatch(
      /^.*?\b((?:fatal |internal compiler )?error(?: TS\d+| [A-Z]{1,6}\d{3,5}|\[[A-Z]\d{4}\])?: .*)$/,
    ),
  },
  { of: "npm", find: firstMatch(/^npm (?:ERR!|error) ((?:code|signal) [A-Z]\w+)$/) },
  { of: "PostgreSQL", find: firstMatch(/^(?:psql:.*?: )?((?:ERROR|FATAL|PANIC): .*)$/) },
  { of: "shells and their tools", find: lastMatch(new RegExp(`^\\S.{0,300}: ${shellReason}$`)) },
  {
    of: "zsh",
    find: lastMatch(/^(?:\S*z?sh: )?((?:command not found|no such file or directory): .*)$/),
  },
  {
    of: "tools that say error",
    find: firstMatch(
      /^\s*\[?(?:error|fatal|failure|failed|E|ERR!|critical|exception|abort(?:ed)?|panic|denied)\]?(?::| - |\]) *\S.*$/i,
    ),
  },
  { of: "tools that name an exception", find: (lines) => exceptionLine(lines) },
];

function exceptionLine(lines: readonly string[]): string | null {
  for (let i = lines.length - 1; i >= 0; i--) {
    const name = named((lines[i] as string).trim());
    if (name !== null) return name;
  }
  return null;
}

/** Lines that only introduce, decorate or sum up. */
const noise = [
  /^[\s=_*#~+.-]*$/,
  /^[=_*#~-]{3}.*[=_*#~-]{3}$/,
  /^(?:\$|>|\+|%|#) /,
  /^(?:std(?:out|err)|output|logs?|response|result|trace(?:back)?|details?)(?: of.*)?:?$/i,
  /^<\/?[\w-]+>$/,
  /^(?:error: )?(?:the )?(?:command|process|script|step)\b.{0,300}?\b(?:failed|exited|returned|terminated)\b(?: with)?.{0,60}$/i,
  /^(?:error: )?(?:exit(?:ed)?(?: with)?(?: code| status)?|return code)[ :=]*\d+\.?$/i,
  /^make(?:\[\d+\])?: (?:\*\*\* .*Error \d+|(?:Entering|Leaving) directory.*)$/,
  /^\d+ (?:passed|failed|warnings?|tests?|errors?)\b.*$/i,
  /^[\w./+-]+: (?:warning|note)\b.*$/i,
  /^(?:hint|note|help|usage|tip|warning|info|debug)\b[:\s].*$/i,
];

const saysError =
  /\b(?:errors?|fail(?:ed|ure|s)?|fatal|den(?:y|ied)|refused|reject(?:ed)?|cannot|can't|could ?n[o']t|unable|not (?:found|available|allowed|permitted|supported|exist|defined|recognized)|no such|missing|invalid|illegal|timed? ?-?out|exception|abort(?:ed)?|panic|unexpected|unknown|undefined|unsupported|exceed(?:s|ed)|too (?:long|large|many|big)|forbidden|unauthori[sz]ed|corrupt|conflict|expired|broken|multiple definition|duplicate)\b/i;

/** That it failed, where another line says why. */
const sumsUp =
  /^(?:fatal: could not read from remote repository|error: failed to push some refs to|automatic merge failed|error: (?:process completed|command failed|subprocess-exited|could not compile|aborting due to|build failed)|(?:error: )?(?:job|build|compilation|tests?|test suite) failed\b|failed \((?:failures|errors)=|failed to compile\.?$|elifecycle|ninja: build stopped|npm (?:err!|error) (?:a complete log|lifecycle)|make(?:\[\d+\])?: \*\*\*|collect2: error: ld returned|(?:clang|gcc)[\w+-]*: error: linker command failed|error: linking with|your code has been rated|\d+ (?:passed|failed|errors?)\b|collected \d+ items?\b)/i;

/** Without the lines that sum up, if one of the others says what is wrong. */
function withoutSums(lines: readonly string[]): readonly string[] {
  const others = lines.filter((line) => !sumsUp.test(line.trim()));
  if (others.length === lines.length || !others.some((line) => saysError.test(line))) return lines;
  return others;
}

/** The line that says what is wrong; of a text of one line that one. */
export function decisiveLine(all: readonly string[]): string {
  const lines = all.length > 1 ? withoutSums(all) : all;
  const some = lines.filter((line) => !blank(line));
  if (some.length <= 1) return said(flattened(some[0] ?? ""));
  // A change to files is what was handed in, and no error.
  if (some[0]?.startsWith("diff --git ")) return "";
  const bare = some.some((line) => line.includes("Exception Group")) ? lines.map(ungrouped) : lines;
  const indents = bare.map((line) => line.length - line.trimStart().length);
  for (const { find } of readers) {
    const found = find(bare, indents);
    if (found !== null && found.trim() !== "") return found.trim();
  }
  const telling = some
    .map((line) => line.trim())
    .filter((line) => !noise.some((one) => one.test(line)));
  const [first] = telling;
  if (first === undefined) return some[0]?.trim() ?? "";
  if (saysError.test(first)) return first;
  return telling.findLast((line) => saysError.test(line)) ?? first;
}

/** A line of a program's source that raises something, handles it, or expects it; a tag that ends an output. */
const raises = /^(?:raise|throw new|throw) ((?:\w+\.)*\w*(?:Error|Exception|Warning|Failure)\b.*)$/;
const saysNothing =
  /^(?:except(?: [\w.(), ]+)?(?: as \w+)?:|} ?catch ?\(.*\{|with (?:self\.assert|pytest\.)\w+\(.*|<\/[\w-]+>)$/;

/** Of a text that is one line: what it says of the error. */
function said(line: string): string {
  const raised = raises.exec(line)?.[1];
  if (raised !== undefined)
    return raised.replace(/^([\w.]+)\((?:[fbru]{0,2}(["'])(.*)\2|(.*))\);?$/, "$1: $3$4");
  return saysNothing.test(line) ? "" : line;
}

/** The frames of an exception group are drawn with bars. */
function ungrouped(line: string): string {
  return line.replace(/^(?: {2})*[|+] ?(?:\+?-+[ \d.-]*)?/, "");
}

/** A traceback whose line breaks were lost. */
function flattened(line: string): string {
  const trimmed = line.trim();
  if (!trimmed.includes("Traceback (most recent call last):")) return trimmed;
  const names = [
    ...trimmed.matchAll(
      /(?<![\w.])(?:[A-Za-z_]\w*\.)*[A-Z]\w*(?:Error|Exception|Warning|Exit|Interrupt)(?=:|$)/g,
    ),
  ];
  return trimmed.slice(names.at(-1)?.index ?? 0);
}
