import { isOrderName } from "./name-orders.ts";
import { isActWord } from "./steering.ts";
import type { Vocabulary } from "./vocabulary.ts";

/**
 * What may pass as an identifier. Whoever publishes events chooses these, so a sentence in the shape of one
 * (`ignore_all_previous_instructions`, `SendItNow`) must not: each word in it is judged, and their number is limited.
 */

/** Instead of what may not pass. */
export const withheld = "<…>";

/** Would make a sentence of an identifier. */
const sentenceWords = new Set(
  `a all an and any are be been being both but can cannot could did do does either every everything had have his if it
  its just may might must neither nobody nor nothing only otherwise shall should so some than that the their them then there
  these they this those until was were what when where which while who whom whose will would yet`.split(
    /\s+/,
  ),
);
const errorEndings = new Set(
  "error errors exception exceptions warning failure fault failed timeout denied violation interrupt exit found".split(
    " ",
  ),
);
/** `all` may follow these: `list_all_airports`. */
const readingVerbs = new Set("list get find search count fetch read query".split(" "));
/** `to` may stand before these: `transfer_to_human_agents`, `convert_to_csv`. */
const harmlessAims = new Set(
  "human agent agents person operator json csv pdf text string html markdown list dict int float date datetime cart calendar utc local".split(
    " ",
  ),
);

const mostWords = 6;
const mostDottedParts = 5;
const longest = 80;

/** Words of one identifier in lower case, numbers left out: `getUserV2` is get, user, v. */
export function wordsOf(identifier: string): string[] {
  const parts = identifier.match(/[A-Z]+(?![a-z])|[A-Z]?[a-z]+/g) ?? [];
  return parts.map((part) => part.toLowerCase());
}

/** Whether all its words are known, and make no sentence. */
function isPlainName(words: readonly string[], vocabulary: Vocabulary): boolean {
  if (words.length === 0 || words.length > mostWords) return false;
  let single = 0;
  return words.every((word, index) => {
    if (word.length === 1) return ++single <= 1;
    if (word === "all") return index === 1 && readingVerbs.has(words[0] ?? "");
    if (word === "to") return harmlessAims.has(words[index + 1] ?? "");
    return !sentenceWords.has(word) && vocabulary.classOf(word) !== undefined;
  });
}

const identifierShape = /^_{0,2}[A-Za-z][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*$/;
/** `TS2322`, `ORA-00001`, `E501`, `http_429`. */
const codeShape = /^(?:[A-Z]{1,6}[-_]?|http_|errno_|exit_)\d{1,6}$/;
/** SQLSTATE, most of it digits: `23505`, `40P01`. */
const sqlState = /^(?=(?:.*\d){3})[0-9A-Z]{5}$/;
const errnoOrSignal =
  /^(?:E(?:2BIG|ACCES|ADDRINUSE|ADDRNOTAVAIL|AGAIN|AI_AGAIN|ALREADY|BADF|BUSY|CANCELED|CHILD|CONNABORTED|CONNREFUSED|CONNRESET|DEADLK|DESTADDRREQ|DOM|DQUOT|EXIST|FAULT|FBIG|HOSTDOWN|HOSTUNREACH|ILSEQ|INPROGRESS|INTR|INVAL|IO|ISCONN|ISDIR|LOOP|MFILE|MLINK|MSGSIZE|NAMETOOLONG|NETDOWN|NETUNREACH|NFILE|NOBUFS|NODEV|NOENT|NOEXEC|NOLCK|NOMEM|NOSPC|NOSYS|NOTCONN|NOTDIR|NOTEMPTY|NOTFOUND|NOTSUP|NXIO|OF|PERM|PIPE|PROTO|RANGE|ROFS|SPIPE|SRCH|STALE|TIMEDOUT|TIMEOUT|TXTBSY|XDEV)|SIG(?:ABRT|BUS|FPE|HUP|ILL|INT|KILL|PIPE|SEGV|TERM|XCPU))$/;

export function isCode(text: string): boolean {
  return codeShape.test(text) || sqlState.test(text) || errnoOrSignal.test(text);
}

export type IdentifierKind = "name" | "act" | "odd" | null;

/**
 * An identifier inside an error class: `act` where it names something to do (`get_user_details`), `odd` where one of its
 * words is not known; few of either may pass. Null: it may not.
 */
export function judgeIdentifier(text: string, vocabulary: Vocabulary): IdentifierKind {
  if (text.length > longest || !identifierShape.test(text)) return null;
  // `com.example.Main`
  const parts = text
    .replace(/^(?:com|org|net|io)\.(?=\w+\.)/, "")
    .split(".")
    .map(wordsOf);
  if (parts.length > mostDottedParts) return null;
  if (parts.flat().filter(({ length }) => length === 1).length > 1 || spellsInNumbers(text))
    return null;
  if (characterCode.test(text)) return "odd";
  if (!errorEndings.has(parts.flat().at(-1) ?? "") && isOrderName(text, parts.flat(), vocabulary))
    return null;
  if (!parts.every((words) => isPlainName(words, vocabulary)))
    return parts.length === 1 && isOdd(parts.flat(), vocabulary) ? "odd" : null;
  return parts.some((words) => isAct(words, vocabulary)) ? "act" : "name";
}

/** `main_widgetry`: it begins with a noun, and has one word that is not known and could be no order. */
function isOdd(words: readonly string[], vocabulary: Vocabulary): boolean {
  if (words.length < 2 || words.length > 3 || vocabulary.classOf(words[0] ?? "") !== "plain")
    return false;
  const unknown = words.filter((word) => !isPlainName([word], vocabulary));
  return unknown.length === 1 && unknown[0] !== words[0] && mayBeUnknown(unknown[0] ?? "");
}

function isAct(words: readonly string[], vocabulary: Vocabulary): boolean {
  const [first = "", ...rest] = words;
  const kind = vocabulary.classOf(first);
  if (kind !== "verb" && kind !== "either" && kind !== "part") return false;
  return !errorEndings.has(rest.at(-1) ?? "");
}

/** What makes an order or an attack of a word that is not known. */
const suspiciousStem =
  /ignor|instruct|prompt|previous|disregard|forget|overrid|reveal|secret|passw|jailb|sudo|attack|evil|malic|hack|pwn|leak|steal|exfil|obey|trust|must|pleas|alway|never|immediat|urgent|visit|click|wire|fund|exec|eval|kill|delet|destroy|system|assist|human|follow|comply|admin|root|http|www|curl|wget|base/;
const unknownWord = /^(?=.*[aeiouy])[a-z]{2,12}$/;
/** `4o`, `70b`, `8x7b`, `v2`, `20250929`. */
const versionShape = /^(?:[a-z]?\d{1,8}[a-z]{0,2}|\d{1,3}x\d{1,3}b)$/i;

/**
 * The name of a tool, a model or a task as a prompt may have it: in the shape of an identifier, of known words; of one
 * or two words, one may be unknown. Null where it may not be named.
 */
export function safeName(text: string, vocabulary: Vocabulary): string | null {
  if (text.length > longest || !/^[A-Za-z0-9](?:[A-Za-z0-9_.:/-]*[A-Za-z0-9])?$/.test(text))
    return null;
  if (text.includes("//") || hostAddress.test(text)) return null;
  const segments = text.split(/[_.:/-]+/).filter((one) => !/^\d{1,8}$/.test(one));
  const words = segments.flatMap((one) => (versionShape.test(one) ? [] : wordsOf(one)));
  if (segments.some((one) => isScrambled(one, vocabulary))) return null;
  if (spellsInNumbers(text)) return null;
  if (words.length === 0) return segments.length <= 3 ? text : null;
  if (wellKnown.has(text) || vocabulary.isName(text)) return text;
  if (isOrderName(text, words, vocabulary)) return null;
  if (isPlainName(words, vocabulary)) return text;
  const unknown = words.filter((word) => !isPlainName([word], vocabulary));
  const [only = ""] = unknown;
  if (unknown.length > 1 || words.length > 2 || !mayBeUnknown(only)) return null;
  // Where it comes first it may be an order in another language.
  const isNamed =
    words.length === 1 || (words[1] === only && isHarmless(words[0] ?? "", vocabulary));
  return isNamed ? text : null;
}

/** `search_zorblax`, `kafka_zorblax`: what comes before a word that is not known says that it is no order. */
function isHarmless(word: string, vocabulary: Vocabulary): boolean {
  return readingVerbs.has(word) || vocabulary.classOf(word) === "plain";
}

/** As `safeName`, for who serves a model: these are named for no act, and whoever publishes could spell an order over three of them. */
export function safeModelName(text: string, vocabulary: Vocabulary): string | null {
  const name = safeName(text, vocabulary);
  const [first = ""] = wordsOf(text);
  const kind = vocabulary.classOf(first);
  const isAct = kind === "verb" || kind === "either" || kind === "part" || isActWord(first);
  return isAct && first !== "command" && !vocabulary.isName(text) ? null : name;
}

/** The name of something that is missing, in "no module named foo_bar": of known words, and two others at most. */
export function isNameOfMissing(text: string, vocabulary: Vocabulary): boolean {
  const words = wordsOf(text);
  if (!/^_{0,2}[A-Za-z][A-Za-z0-9_]{1,29}$/.test(text) || words.length > 4) return false;
  if (isScrambled(text, vocabulary) || isOrderName(text, words, vocabulary)) return false;
  const unknown = words.filter((word) => !isPlainName([word], vocabulary));
  return unknown.length <= 2 && unknown.every(mayBeUnknown);
}

function mayBeUnknown(word: string): boolean {
  return unknownWord.test(word) && !suspiciousStem.test(word) && !sentenceWords.has(word);
}

/** Tools of coding agents and of our own that the rules would not name. */
const wellKnown = new Set(
  "LS ls KillShell exec_command save_memory recall_lessons explain_missing_lesson".split(" "),
);

/** `10.0.0.7`, where a name of a tool would lead somewhere. */
const hostAddress = /(?:^|[^0-9.])\d{1,3}(?:\.\d{1,3}){3}(?![0-9.])/;
/** More numbers than dates and versions together have: `claude-opus-4-1-20250805-v1:0`. */
const mostNumbers = 5;
/** `x64`, `u0041`, `0x64`: one character of a text. */
const characterCode = /^(?:x|0x|u|u00)[0-9a-f]{2}$/i;

/** Whether a text might be spelled here, a character a number. */
function spellsInNumbers(text: string): boolean {
  const parts = text.split(/[^A-Za-z0-9]+/);
  const numbers = parts.filter((part) => /^[a-z]{0,2}\d+[a-z]{0,2}$/i.test(part));
  return numbers.length > mostNumbers || parts.filter((one) => characterCode.test(one)).length > 1;
}

/** Letters and digits mixed otherwise than in versions and `name2`: what base64 and leet look like. */
function isScrambled(segment: string, vocabulary: Vocabulary): boolean {
  if (versionShape.test(segment) || !/\d/.test(segment)) return false;
  if (/^[A-Za-z]+\d{1,8}$/.test(segment)) return false;
  return wordsOf(segment).some((word) => vocabulary.classOf(word) === undefined);
}
