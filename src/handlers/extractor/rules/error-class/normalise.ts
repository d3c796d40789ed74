import { withBodyRead } from "./body.ts";
import { type Kept, keptCodes, keptWords } from "./codes.ts";
import { decisiveLine } from "./line.ts";
import { keptNames, nameIn } from "./names.ts";
import { masked } from "./placeholders.ts";
import {
  spelledException,
  spelledInside,
  spelledName,
  spelledSentence,
  withoutPrefix,
} from "./spelling.ts";
import { cleanedText, linesOf, shortened } from "./text.ts";

/** Characters of a class. */
export const longestClass = 200;
/** Beyond this nothing can reach the first 200 characters of the result, and matching stays linear. */
const longestLine = 1_700;

/** Raise it when the same text becomes another class: lesson keys change with it. */
export const errorClassVersion = 2;

/** What nothing has to be done to; most classes are so. */
const plainName = /^(?:[a-z]+(?:_[a-z]+)*|http_[1-5]\d\d)$/;

/**
 * An error class with what varies from one occurrence to the next taken out, so that one cause is one signature, and two
 * causes are two: of a stack trace or output the line that says what is wrong, of a JSON body its type, code, status and
 * message; ids, paths, hosts, times, amounts and quoted values as placeholders (`<id>`, `<path>`, `<host>`, `<time>`,
 * `<n>`, `<s>`, …); statuses, codes and names that are the cause stay. At most 200 characters, whole words.
 */
export function normaliseErrorClass(errorClass: string): string {
  if (errorClass.length <= longestClass && plainName.test(errorClass)) return errorClass;
  const lines = linesOf(withBodyRead(cleanedText(errorClass)));
  const several = lines.filter((line) => line.trim() !== "").length > 1;
  const line = withoutPrefix(continued(decisiveLine(lines), lines)).slice(0, longestLine);
  const bare = withoutEnds(line);
  if (isCode(bare)) return bare.toLowerCase() === "unknown" ? "unknown" : bare;
  // What a trace ends with is the name of an exception as its language writes it.
  const name = several ? bare : spelledName(bare);
  if (name !== bare || /^[A-Za-z_]+$/.test(bare)) return shortened(name, longestClass) || "unknown";
  const sentence = maskedLine(spelledInside(spelledException(bare)));
  return shortened(sentence, longestClass) || "unknown";
}

/**
 * A sentence that breaks off at a comma goes on in the next line; so does one that only announces what is wrong. Where an
 * input is invalid, the next lines say the field and why.
 */
function continued(line: string, lines: readonly string[]): string {
  const goesOn = line.endsWith(",") ? /^[a-z]/ : announces.test(line) ? /^[A-Za-z"']/ : null;
  const isInvalid = /\b\d+ validation errors? for [\w.[\], ]+$/.test(line);
  if (goesOn === null && !isInvalid) return line;
  const at = lines.findIndex((one) => one.trim() === line);
  const [next = "", afterNext = ""] =
    at === -1 ? [] : lines.slice(at + 1, at + 3).map((one) => one.trim());
  if (goesOn?.test(next) && !/^File "/.test(next)) return `${line} ${next}`;
  const why = afterNext.replace(/ [[(]type=.*$/, "");
  return isInvalid && why !== "" ? `${line}: ${next}: ${why}` : line;
}

const announces = /^[\w ]{0,40}(?:error|exception|failure|failed|problem|reason)(?: occurred)?:$/i;

/** The whole class is a code of its producer's: a number, `E1001`, `PAY-4021`. */
function isCode(text: string): boolean {
  return (
    /^(?:-?\d{1,6}|[A-Z]{1,10}[-_]?\d{1,6}|[0-9A-Z]{5})$/.test(text) &&
    !/^(?:HTTP[-_]?)?[1-5]\d\d$/.test(text)
  );
}

/** Stand for what is kept while the rest is masked: no text has them, for they were taken out. */
const firstMark = 0xe000;
const mostMarks = 0x1000;

function maskedLine(line: string): string {
  const kept: string[] = [];
  const keep = (text: string) => {
    if (kept.length >= mostMarks) return text;
    kept.push(text);
    return String.fromCharCode(firstMark + kept.length - 1);
  };
  let text = line.replace(/\s+/g, " ");
  text = keepIn(text, keptCodes, keep);
  for (const { pattern, needs } of keptNames) {
    if (needs?.test(text) === false) continue;
    text = text.replace(pattern, (match: string, head = "", name = "", tail = "") => {
      const found = nameIn(head, name, tail);
      return found === null ? match : found.before + keep(found.name) + found.after;
    });
  }
  text = keepIn(text, keptWords, keep);
  for (const { pattern, by, needs } of masked) {
    if (needs !== undefined && !text.includes(needs)) continue;
    text = typeof by === "string" ? text.replace(pattern, by) : text.replace(pattern, by);
  }
  text = withoutEnds(collapsed(spelledSentence(text)));
  return text.replace(/[\ue000-\uefff]/g, (mark) => kept[mark.charCodeAt(0) - firstMark] ?? "");
}

function keepIn(text: string, rows: readonly Kept[], keep: (text: string) => string): string {
  let result = text;
  for (const { pattern, as } of rows) {
    result = result.replace(pattern, (match: string, ...groups: string[]) =>
      keep(as ? as(match, ...groups) : match),
    );
  }
  return result;
}

const placeholder = "<(?:s|n|id|path|url|host|time|duration|size|amount)>";
const repeated = new RegExp(`(${placeholder})(?:(?:, ?| and | or | ?[-:/x] ?| )\\1)+`, "g");
const framesBehind = /(?: (?:at|in) (?:async |new )?(?:[\w.$]+ )?\(?<path>\)?)+$/;

/** Where in the input, when that is said last. */
const positionBehind =
  /(?: after (?:<s> statement|\w+ definition))?,? ?\(?(?:(?:at|on|in|near) )?(?<!\w)line <n>(?:[,:]? (?:col(?:umn)?|char(?:acter)?) <n>)?\)?$/;

/** A runner of tests that says no more than that there were errors. */
const onlyCounts =
  /^(?:<n> \w+, )*<n> error(?:, <n> \w+)*(?: in <duration>)?$|^collected <n> item \/ <n> error\b.*$/;

/** By which a service finds the request again, said of some occurrences and not of others. */
const requestBehind =
  /(?: ?[([{,;.|-] ?(?:(?:request|trace|correlation|span|event|error|log|operation|invocation|session|cf-ray|ray)[ _-]?id|request|reference|ref)[ :=#]{1,3}<(?:id|s|n)>[)\]}.]{0,2})+$/i;

/** One or many of them: that is how often it happened. */
const counted =
  /(?<=<n> (?:\w+ )?)(error|warning|problem|failure|issue|argument|element|item|row|file|test|attempt|time|value|character|token|message|request|line|column|node|pod|replica|connection|process|module|check)(?:e?s)(?!\w)|(?<=<n> )(?!(?:actions|always|as|does|has|is|its|minus|perhaps|plus|status|this|versus|was)\b)([a-z]{3,}[^su\W\d_])s(?![\w>])/g;
const goRecovered = / \[recovered\]$/;

/** Where more can be read: that masks to nothing. */
const readMore =
  /(?:[\s.;,(]{1,3}(?:please )?(?:see(?: also)?|visit|read|refer to|more (?:info|information|details)(?: at)?:?|for (?:more|further) (?:information|details|help)[, ]{1,2}(?:about [\w ]{1,60} )?(?:see|visit|refer to|go to|check))(?: the| our)?(?: docs?| documentation| manual)?(?: at| on)? ?<(?:s|url|path)>\)?)+$/i;

/**
 * Lists of one kind are as long as they happen to be; a position behind an error, and the number of the request, are not
 * the error.
 */
function collapsed(text: string): string {
  return text
    .replace(repeated, "$1")
    .replace(positionBehind, "")
    .replace(framesBehind, "")
    .replace(requestBehind, "")
    .replace(readMore, "")
    .replace(goRecovered, "")
    .replace(counted, (_, known, other) => (known ?? other).replace(/ie$/, "y"))
    .replace(onlyCounts, "errors")
    .replace(/ +/g, " ");
}

function withoutEnds(text: string): string {
  return text
    .trim()
    .replace(/^[=*#_~]{1,300} /, "")
    .replace(/ [=*#_~]{1,300}$/, "")
    .replace(/[\s.!:;,-]+$/, "")
    .replace(/^[\s.:;,]+(?=\w)/, "");
}
