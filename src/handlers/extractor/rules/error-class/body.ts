/**
 * What an error body says in its fields: read before anything is masked, for `{"error":"timeout"}` and
 * `{"error":"denied"}` are two errors. Fields are found one by one, so that bodies that were cut off, Python's spelling of
 * a dict, and XML are read as well.
 */
type Part = "type" | "code" | "status" | "error" | "message" | "title";

const partOf: Readonly<Record<string, Part>> = {
  ...{ type: "type", __type: "type", error_type: "type", errortype: "type", exception: "type" },
  ...{ exceptiontype: "type", name: "type", kind: "type", fault: "type", faultcode: "type" },
  ...{ code: "code", error_code: "code", errorcode: "code", err_code: "code", errcode: "code" },
  ...{
    sqlstate: "code",
    errno: "code",
    subcode: "code",
    error_subcode: "code",
    decline_code: "code",
    reason_code: "code",
  },
  ...{ status: "status", status_code: "status", statuscode: "status", http_status: "status" },
  ...{ httpstatus: "status", http_code: "status" },
  ...{ error: "error", err: "error", reason: "error", failure: "error" },
  ...{ message: "message", msg: "message", error_message: "message", errormessage: "message" },
  ...{ detail: "message", details: "message", description: "message", faultstring: "message" },
  ...{ error_description: "message", errormsg: "message", error_msg: "message" },
  ...{ title: "title" },
};

/** A field: its name, and its value where that is a text, a number or a word. A text may be cut off at the end. */
const field =
  /["']([A-Za-z_]\w{0,40})["']\s*:\s*(?:"((?:[^"\\]|\\.)*)(?:"|$)|'((?:[^'\\]|\\.)*)(?:'|$)|(-?\d+(?:\.\d+)?|true|false|null|None|True|False)\b)?/gs;
const element = /<(Code|Message|faultcode|faultstring|title)>\s*([^<]{1,500})/gi;

/** What went wrong, in a line of fields as logfmt writes them. */
const logField = /(?<!\w)(?:msg|message|err|error)="(?:[^"\\]|\\.){1,500}"/g;

/** What a tool of the Model Context Protocol answers when it has failed. */
const toolFailed = /"isError"\s*:\s*true/;
const toolText = /"content"\s*:\s*\[\s*\{[^{}]*?"text"\s*:\s*"((?:[^"\\]|\\.){1,4000})/;

/** Says nothing of the error. */
const empty = /^(?:|null|none|true|false|error|object|about:blank|https?:.*|ok|n\/a)$/i;

/** The text with its first error body replaced by what that says; the text as it is without one. */
export function withBodyRead(text: string): string {
  const start = text.search(/[{[]\s*["'{[]/);
  if (start !== -1 && start < 4_000) {
    const end = text.lastIndexOf("}") + 1;
    const body = text.slice(start, end > start ? end : undefined);
    const told = toolFailed.test(body) ? toolText.exec(body)?.[1] : undefined;
    if (told !== undefined) return told.replace(/\\n/g, "\n").replace(/\\(["\\/])/g, "$1");
    const said = saidBy(body.matchAll(field));
    const before = text.slice(0, start).trim();
    if (said !== null) return isSaid(before, said) ? said : `${before} ${said}`.trim();
  }
  const logged = /(?:^|\s)(?:level|lvl|severity)=/.test(text) ? text.match(logField) : null;
  if (logged !== null)
    return [...new Set(logged.map((one) => one.slice(one.indexOf('"') + 1, -1)))].join(": ");
  if (!/<(?:Error|html|soap|\w+:Envelope|!doctype|head|title)\b/i.test(text)) return text;
  return saidBy(text.matchAll(element)) ?? text;
}

/** What stands before a body often is what the body says: `503 UNAVAILABLE. {…}`. */
function isSaid(before: string, said: string): boolean {
  const words = (text: string) => text.toLowerCase().split(/[\W_]+/);
  const all = new Set(words(said));
  return before.length <= 100 && words(before).every((word) => word === "" || all.has(word));
}

function saidBy(found: Iterable<RegExpExecArray>): string | null {
  const parts = new Map<Part, string>();
  for (const [, name = "", double, single, word] of found) {
    const part = partOf[name.toLowerCase()];
    const value = (double ?? single ?? word ?? "").trim();
    if (part === undefined || parts.has(part) || empty.test(value)) continue;
    parts.set(part, value.replace(/\\(["'\\/])/g, "$1").replace(/\s+/g, " "));
  }
  const get = (part: Part) => parts.get(part) ?? "";
  const message = get("message") || (isName(get("error")) ? "" : get("error"));
  const names = [get("type") || get("title"), isName(get("error")) ? get("error") : ""];
  const codes = [codeText(get("code")), codeText(get("status"))];
  const head = [...new Set([...names, ...codes].filter((one) => one !== ""))].join(" ");
  if (message === "") return head === "" || parts.size === 0 ? null : head;
  if (head === "" && parts.size < 1) return null;
  return head === "" ? message : `${head}: ${message}`;
}

function isName(text: string): boolean {
  return /^[\w.:/-]{1,80}$/.test(text);
}

/** A number needs to be called a code, or it would be taken for a figure. */
function codeText(value: string): string {
  if (/^[1-5]\d\d$/.test(value)) return `http_${value}`;
  return /\d/.test(value) && isName(value) ? `code ${value}` : value;
}
