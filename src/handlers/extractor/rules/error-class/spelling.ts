/** Spellings of one name become one. */

/** One word as programs write names: `RateLimitError`, `rate-limit-error`, `RATE_LIMIT_ERROR`, `rateLimitError`. */
const identifier = /^[A-Za-z][A-Za-z0-9]*(?:[_-][A-Za-z0-9]+)*$/;
/** The same name, written for people. */
const spelledOut = /^[A-Za-z]+(?: [A-Za-z]+){0,4} (?:error|exception)$/i;

/** A whole class that is one name, in snake_case; anything else as it is. */
export function spelledName(text: string): string {
  if (spelledOut.test(text) || identifier.test(text)) return snakeCase(text.replaceAll(" ", "_"));
  return text;
}

function snakeCase(name: string): string {
  return name
    .replace(/([a-z0-9])([A-Z])/g, "$1_$2")
    .replace(/([A-Z]+)([A-Z][a-z])/g, "$1_$2")
    .replaceAll("-", "_")
    .replace(/_+/g, "_")
    .toLowerCase();
}

/**
 * A sentence in one letter case: words that a sentence or a title begins with a capital, and words in capitals. Names such as
 * `KeyError`, `ECONNREFUSED` and `PERMISSION_DENIED` stay; so does the first word where it names an exception.
 */
export function spelledSentence(text: string): string {
  const first = /^(error|exception|warning)(?=:)/i.exec(text)?.[0];
  const rest = text.slice(first?.length ?? 0);
  const head =
    first === undefined ? "" : first.charAt(0).toUpperCase() + first.slice(1).toLowerCase();
  return head + rest.replace(/(?<![\w.<-])[A-Z](?:[a-z']+|[A-Z']*)(?![\w.]*\w|>)/g, spelledWord);
}

/** What capitals mean: codes of the system, of protocols. */
const inCapitals =
  /^(?:E(?:2BIG|ACCES|ADDRINUSE|ADDRNOTAVAIL|AGAIN|BADF|BUSY|CANCELED|CONNABORTED|CONNREFUSED|CONNRESET|DESTADDRREQ|EXIST|FAULT|FBIG|HOSTDOWN|HOSTUNREACH|INTR|INVAL|IO|ISCONN|ISDIR|LOOP|MFILE|MSGSIZE|NAMETOOLONG|NETDOWN|NETUNREACH|NFILE|NOENT|NOEXEC|NOMEM|NOSPC|NOSYS|NOTCONN|NOTDIR|NOTEMPTY|NOTFOUND|NOTSUP|NXIO|PERM|PIPE|PROTO|RANGE|RESOLVE|ROFS|SRCH|TIMEDOUT|TXTBSY|XDEV)|SIG[A-Z]+|HTTPS?|SQLSTATE|TLS|SSL|SQL|JSON|XML|YAML|HTML|API|URL|URI|DNS|TCP|UDP|IP|SSH|JWT|UTF|CPU|GPU|RAM|ID|UUID|AWS|GCP|CORS|CSRF|EOF|OOM)$/;

function spelledWord(word: string): string {
  return word.length > 1 && inCapitals.test(word) ? word : word.toLowerCase();
}

/** `rate_limit_error: …` as `RateLimitError: …`: before a message it is the exception's name. */
export function spelledException(text: string): string {
  const found = /^([a-z]+(?:[_-][a-z]+)*[_-](?:error|exception))(?=: )/i.exec(text)?.[1];
  if (found === undefined) return text;
  const words = found.toLowerCase().split(/[_-]/);
  return (
    words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join("") +
    text.slice(found.length)
  );
}

/** The same of a name in the middle of a sentence, where another exception's message has it. */
export function spelledInside(text: string): string {
  return text.replace(/(?<=: )[a-z]+(?:_[a-z]+)*_(?:error|exception)(?=$|[\s:,.)])/g, (name) =>
    spelledException(`${name}: `).slice(0, -2),
  );
}

/** Shells begin what they say with their own name and a line's number. */
const shell = /^(?:\S*\/)?(?:ba|z|da|k|fi|c|tc)?sh(?:\.exe)?: (?:(?:-c: )?(?:line )?\d+: ?)?/;

/** What a tool wrote before the error: its time, its level, pytest's E, the shell's name. */
const prefixes = [
  // An event of Kubernetes: its kind, its reason, how long ago and how often, who says so.
  /^(?:Warning|Normal) +[A-Z]\w+ +\d+[smhd]\w*(?: \(x\d+ over \w+\))? +[\w.-]+ +(?=\S)/,
  // Of Go's and of Kubernetes' logs: level, date, time, thread, position.
  /^[EWIF]\d{4} \d{2}:\d{2}:\d{2}(?:\.\d+)? +\d+ \S+:\d+\] /,
  /^E {2,}/,
  // The summary of pytest: which test, then why.
  /^(?:FAILED|ERROR) \S+\.py(?:::\S+)?(?: .{1,100}?)? - (?=\S)/,
  /^[\w.+-]+@[\w.-]+: (?=\S)/,
  /^\(node:\d+\) /,
  // A position that a linter begins with.
  /^\d+:\d+(?::\d+)?:? +(?=(?:fatal )?(?:error|warning)\b)/i,
  /^Exception in thread "[^"]*" /,
  /^Uncaught (?:exception )?(?:\(in promise\) )?(?=[A-Z])/,
  /^Unhandled (?:exception|rejection)[.:]? /i,
  /^Caused by: /,
  /^UnhandledPromiseRejection(?:Warning)?: /,
  /^npm (?:ERR!|error) (?:code )?(?=E[A-Z]{3,}\b)/,
  /^(?:Mcp|MCP)Error: (?=mcp error )/i,
  /^(?:pq|pgx|mysql|mssql): (?=\S)/,
  // A driver's exception says nothing that the database's own number does not.
  /^(?:[\w.$]+(?:Exception|Error): ){1,3}(?=ORA-\d{5}: )/,
  // Nor what a service or a database of its own codes says.
  /^(?:[\w.$]+(?:Exception|Error): ){1,3}(?=An error occurred \(|(?:BUSY|BUSYGROUP|CLUSTERDOWN|EXECABORT|LOADING|MASTERDOWN|MISCONF|MOVED|NOAUTH|NOGROUP|NOPERM|NOSCRIPT|OOM|READONLY|TRYAGAIN|UNKILLABLE|WRONGPASS|WRONGTYPE) \S)/,
  /^(?:page|frame)\.\w+: (?=net::ERR_)/,
  // What libpq says before the server does.
  /^(?:psql: )?(?:error: )?connection to server (?:at|on) .{1,200}? failed: (?=(?:FATAL|ERROR|SSL|could)\b)/i,
  /^\[(?:ERROR|FATAL|error|fatal|SEVERE)\] /,
  /^(?:[A-Za-z]:)?[\w./\\-]+\.\w{1,5}(?::\d+(?::\d+)?|\(\d+(?:,\d+)?\)): (?=[A-Z]\w*(?:Error|Exception|Warning)\b|(?:fatal )?error\b)/,
  /^(?:docker: )?Error response from daemon: /,
  // A compiler's position before words of its own.
  /^[\w./\\@-]+\.[a-z]\w{0,4}:\d+:\d+: (?=[a-z]\S* \S)/,
  // Every error is one.
  /^(?:error|exception): +(?=[\w'"`[]\S* \S)/i,
  shell,
];

export function withoutPrefix(text: string): string {
  let rest = withoutTime(text);
  for (const prefix of prefixes) rest = rest.replace(prefix, "");
  rest = withoutEcho(rest)
    // Interpreters begin what they say with their own name, as they were called.
    .replace(/^(?:\S*[\\/])?(python|pypy|node|ruby|perl|php)[\d.]*(?:\.exe)?: (?=\S)/, "$1: ")
    .replace(/^\w+ \[(\w+(?:Error|Exception))\]: /, "$1: ")
    .replace(/^ERROR (\d{4}) \(\w{5}\): /, "ERROR $1: ")
    // MySQL's number and message as drivers of Python print them.
    .replace(/^(?:[\w.]+Error: )?\((\d{4}), ['"](.*)['"]\)$/, "ERROR $1: $2");
  const zsh = /^command not found: (\S+)$/.exec(rest)?.[1];
  if (zsh !== undefined) return `${zsh}: command not found`;
  return rest.replace(/^([\w.+-]+): not found$/, "$1: command not found");
}

const clock = "\\d{2}:\\d{2}:\\d{2}(?:[.,]\\d{1,9})?";
const month = "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)";
/** What a logger begins a line with: the time in its format, the zone, the process. */
const loggedAt = new RegExp(
  `^(?:\\[?(?:ERROR|ERR|WARN(?:ING)?|FATAL|CRIT(?:ICAL)?|SEVERE|ALERT|EMERG)\\]?:? +)?(?:\\[ *\\d{1,10}\\.\\d{3,9}\\]|[[(]?(?:(?:\\d{4}[-/])?\\d{2}[-/]\\d{2}[T _]${clock}|${clock}|(?:[A-Z][a-z]{2},? )?(?:${month} {1,2}\\d{1,2}(?: \\d{4})?|\\d{1,2}[ /-]${month}[ /-]\\d{4})[ :]${clock}(?: \\d{4})?)(?:Z| ?[+-]\\d{2}:?\\d{2}| (?:UTC|GMT|CES?T|[ECMP][SD]T|IST|JST|BST|MSK)(?= |\\]))?[\\])]?)(?: \\[\\d+\\])?:?(?: - | *\\| *|\\s+)(?=\\S)`,
);
/** Behind that time: the host and the process of syslog; how bad it is. */
const loggedBy = /^[\w.-]+ [\w./()-]+\[\d+\]: /;
const loggedThread = /^\[[\w.#/ -]{1,60}\] +(?=\S)/;
const loggedLevel =
  /^\[?(?:ERROR|ERR|WARN(?:ING)?|FATAL|CRIT(?:ICAL)?|SEVERE|ALERT|EMERG)\]?(?: - | *\| *| +)(?=\S)/i;

function withoutTime(text: string): string {
  const rest = text.replace(loggedAt, "");
  if (rest === text) return text;
  return rest
    .replace(loggedBy, "")
    .replace(loggedThread, "")
    .replace(loggedLevel, "")
    .replace(loggedThread, "");
}

/** `ProtocolError: Protocol error (…)`: an exception of which the message begins with its name says it once. */
function withoutEcho(text: string): string {
  const name = /^(?:\w+\.)*(\w+(?:Error|Exception)): (?=\w)/.exec(text);
  if (name?.[1] === undefined) return text;
  const said = snakeCase(name[1]).replaceAll("_", " ");
  const message = text.slice(name[0].length);
  return message.toLowerCase().startsWith(`${said} `) ? message : text;
}
