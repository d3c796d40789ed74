import { hiddenCharacter } from "../../schema/plain-text.ts";
import { isCode, isNameOfMissing, withheld, wordsOf } from "./identifiers.ts";
import { isActWord, steers } from "./steering.ts";
import { plainMarks, type Token, tokensOf } from "./tokens.ts";
import type { Vocabulary } from "./vocabulary.ts";

/**
 * An error class, or a reason, as a prompt may have it: words of the closed list, numbers, codes and identifiers; any other
 * word is withheld. Words that may give an order pass only where they give none: in what "cannot" or "failed to" says,
 * or as nouns.
 */

const set = (text: string) => new Set(text.trim().split(/\s+/));

/** With one of these a clause says what happened. */
const happened = set("failed timed exceeded occurred was were got did didn't could couldn't");
/** With one of these a clause says what is wrong. */
const faults = set("too not failed invalid missing exceeded denied expired empty lost");
/** With one of these a clause states something. */
const finite =
  set(`is are was were has have had does did doesn't didn't isn't aren't wasn't weren't hasn't haven't cannot
  can't could couldn't may must will would failed fails timed got exceeded exceeds occurred exists requires expects takes
  contains not`);
const participles =
  set(`denied refused missing expired required closed found aborted reset interrupted disabled rejected
  invalid unavailable unreachable unsupported unknown expected full empty open out too already`);
const prepositions = set("to of for on with from in at by after before during");
const nounEndings =
  set(`error errors failure failures timeout exception exceptions conflict conflicts limit operation
  statement value values`);
const negations = set(`cannot can't couldn't doesn't didn't won't wouldn't`);
const auxiliaries = set("can could did does do will would");
const infinitiveLeads =
  set(`failed failing fails unable trying tried attempted attempting refused unsuccessful impossible
  able`);
const afterMust = set("be have not been match contain equal specify exist");
const toldTo = set("is are have has need needs required supposed step");
const subordinators = set("that which who what where when if because so");
/** After these a clause still begins: "first read the file". */
const openers = set(
  "first next also only just instead again once still too so here finally simply",
);
const connectors = set("and or then but");

/** Where an order would begin. */
const clauseEnd = /[.:;!?,()—\n]/;
/** Of a text with more withheld than this, nothing but the name of its error is shown. */
const mostWithheld = 0.3;
export function readable(text: string, vocabulary: Vocabulary): string {
  // A text with hidden characters hides more than those.
  if (hiddenCharacter(text) !== null) return withheld;
  const tokens = withoutClaims(withMissing(tokensOf(plainMarks(text), vocabulary), vocabulary));
  const judgedAll = tokens.map((token, index) => {
    const passes = token.kind !== "withheld" && passesAt(tokens, index);
    return passes ? token : { ...token, text: withheld, kind: "withheld" as const };
  });
  const order = judgedAll.findIndex(
    (token, index) => token.kind === "withheld" && isOrder(tokens, index),
  );
  // Nothing that comes with an order is shown, nor what follows.
  const shown = order === -1 ? judgedAll : judgedAll.slice(0, beginningOf(tokens, order));
  const words = shown.filter(({ kind }) => kind !== "mark" && kind !== "number");
  const lost = words.filter(({ kind }) => kind === "withheld").length;
  const isMost =
    (order !== -1 && lost > 0) ||
    lost > words.length / 2 ||
    (lost > 1 && lost >= mostWithheld * words.length);
  if (isMost || words.length === 0) return joined(nameOfError(shown));
  return joined(order === -1 ? shown : [...shown, nothingShown]);
}

/** What may be missing, and is named after it. */
const missable =
  set(`named module modules attribute table column relation function argument name variable field method class package
  command option parameter key property identifier symbol type`);
const isMissing = set(
  "no not missing unexpected unknown undefined duplicate invalid cannot exists",
);

/** The first name of something that is missing passes, though its words are not known. */
function withMissing(tokens: Token[], vocabulary: Vocabulary): Token[] {
  const at = tokens.findIndex(({ kind, text }, index) => {
    if (kind !== "withheld" || !isNameOfMissing(text, vocabulary)) return false;
    const before = tokens.slice(0, index).filter((one) => one.kind !== "mark");
    return missable.has(before.at(-1)?.word ?? "");
  });
  const found = tokens[at];
  if (found === undefined) return tokens;
  const near = tokens.slice(Math.max(0, at - 7), at + 4);
  if (!near.some(({ word }) => isMissing.has(word))) return tokens;
  return tokens.with(at, { ...found, kind: "name" });
}

/** Where another clause begins, besides punctuation marks. */
const clauseStart = set(
  "because so unless until if when while after before but then that which who once",
);

/** Clauses that steer are withheld whole. */
function withoutClaims(tokens: readonly Token[]): Token[] {
  const shown: Token[] = [];
  let clause: Token[] = [];
  const judge = () => {
    const isClaim = steers(
      clause.flatMap(({ word }) => word),
      clause.flatMap(({ kind, text }) => (kind === "name" && !isCode(text) ? [wordsOf(text)] : [])),
    );
    shown.push(...clause.map((token) => (isClaim ? withholding(token) : token)));
    clause = [];
  };
  for (const token of tokens) {
    const isEnd = token.kind === "mark" && clauseEnd.test(token.text);
    if (isEnd || token.gap === "\n" || clauseStart.has(token.word)) judge();
    if (isEnd) shown.push(token);
    else clause.push(token);
  }
  judge();
  return shown;
}

/** Its word stays, so that orders are still found. */
function withholding(token: Token): Token {
  return token.kind === "mark" ? token : { ...token, kind: "withheld" };
}

const nothingShown: Token = { text: withheld, kind: "withheld", word: "", gap: " " };

function passesAt(tokens: readonly Token[], index: number): boolean {
  const token = tokens[index];
  if (token === undefined) return false;
  const next = tokens[index + 1];
  // A word may be spelled.
  if (token.kind === "letter")
    return !isLetter(tokens[index - 1]) && !isLetter(tokens[index - 2]) && !isLetter(next);
  if (token.word === "must" || token.word === "should")
    return next !== undefined && afterMust.has(next.word);
  if (token.word === "do") return !isFirstOfClause(tokens, index);
  const isNoun = isAfterLead(tokens, index) || isSystemCall(tokens, index);
  if (token.kind === "verb") return isNoun || isCompound(tokens, index);
  if (token.kind !== "either" || isNoun) return true;
  // "message size too large"
  if (!isActWord(token.word) && states(tokens, index, faults)) return true;
  if (!isFirstOfClause(tokens, index) && !isAfterOrder(tokens, index)) return true;
  return opensStatement(next) || (isPlaceholder(next) && states(tokens, index, happened));
}

/** "request <n> timed out". */
const isPlaceholder = (token: Token | undefined) => token?.text.startsWith("<") === true;

const isLetter = (token: Token | undefined) =>
  token !== undefined && token.text.length === 1 && token.kind === "letter";

/** Whether a clause begins here. */
function isFirstOfClause(tokens: readonly Token[], index: number): boolean {
  const previous = tokens[index - 1];
  if (previous === undefined || tokens[index]?.gap === "\n") return true;
  if (previous.kind === "mark")
    return clauseEnd.test(previous.text) || previous.text === "-" || previous.text === "'";
  if (openers.has(previous.word)) return isFirstOfClause(tokens, index - 1);
  return (
    previous.kind === "withheld" || previous.kind === "number" || connectors.has(previous.word)
  );
}

/** "to call", "must call", "not call": an order, or what might be the end of one. */
function isAfterOrder(tokens: readonly Token[], index: number): boolean {
  const word = tokens[index - 1]?.word ?? "";
  return word === "to" || word === "must" || word === "should" || word === "not" || word === "will";
}

/** Whether what is withheld here begins an order, or may. */
function isOrder(tokens: readonly Token[], index: number): boolean {
  const token = tokens[index];
  const next = tokens[index + 1];
  if (token === undefined || token.kind === "mark") return false;
  // "I/O" and a path begin no order.
  if (!/^[A-Za-z]{2,}$/.test(token.text)) return false;
  if (isToldTo(tokens, index)) return true;
  if (!isFirstOfClause(tokens, index)) return false;
  if (next === undefined || (next.kind === "mark" && clauseEnd.test(next.text))) return false;
  if (opensStatement(next)) return false;
  return token.kind === "verb" || token.kind === "either" || !states(tokens, index);
}

/** "you must call", "the next step is to call". */
function isToldTo(tokens: readonly Token[], index: number): boolean {
  const word = tokens[index - 1]?.word;
  const before = tokens[index - 2];
  if (word === "must" || word === "should") return true;
  return word === "to" && (before?.kind === "withheld" || toldTo.has(before?.word ?? ""));
}

/** Whether the clause that begins here says something of what it begins with: "foo object has no attribute". */
function states(tokens: readonly Token[], index: number, verbs = finite): boolean {
  for (const { word, kind, text } of tokens.slice(index + 1)) {
    if ((kind === "mark" && clauseEnd.test(text)) || subordinators.has(word)) return false;
    if (verbs.has(word) && word !== "not") return true;
  }
  return false;
}

/** Where the clause of a token begins. */
function beginningOf(tokens: readonly Token[], index: number): number {
  let at = index;
  while (at > 0) {
    const { kind = "mark", text = "" } = tokens[at - 1] ?? {};
    // What a colon announces is of a piece with it, unless that is the name of an error.
    const isAnnounced = text === ":" && tokens[at - 2]?.kind !== "name";
    if (kind === "mark" && clauseEnd.test(text) && !isAnnounced) break;
    at--;
  }
  return at;
}

/** "access denied", "read of <n>", "import error": what came before is a noun. */
function opensStatement(next: Token | undefined): boolean {
  if (next === undefined) return true;
  const { word, kind, text } = next;
  if (kind === "name") return isCode(text);
  return (
    finite.has(word) || participles.has(word) || prepositions.has(word) || nounEndings.has(word)
  );
}

/** "connect ECONNREFUSED", "write timeout". */
function isCompound(tokens: readonly Token[], index: number): boolean {
  const next = tokens[index + 1];
  if (next === undefined) return false;
  if (next.kind === "name") return isCode(next.text);
  const before = tokens[index - 1]?.word;
  if (next.word === "of" || before === "in" || before === "execute") return true;
  const isEnd = tokens[index + 2] === undefined || tokens[index + 2]?.kind === "mark";
  return next.word === "failed" || (isEnd && (next.word === "error" || next.word === "timeout"));
}

/** "cannot …", "does not …", "failed to …": what follows is no order. */
function isAfterLead(tokens: readonly Token[], index: number): boolean {
  const word = (back: number) => (index < back ? "" : (tokens[index - back]?.word ?? ""));
  if (negations.has(word(1))) return true;
  if (word(1) === "not" || word(1) === "to") {
    if (word(1) === "to") return [2, 3].some((back) => infinitiveLeads.has(word(back)));
    // "do not" at the beginning is an order itself.
    return auxiliaries.has(word(2)) && (word(2) !== "do" || !isFirstOfClause(tokens, index - 2));
  }
  return false;
}

/** "EACCES: permission denied, open <path>" */
function isSystemCall(tokens: readonly Token[], index: number): boolean {
  const [first] = tokens;
  const next = tokens[index + 1];
  if (first === undefined || !isCode(first.text) || tokens[index - 1]?.text !== ",") return false;
  return next === undefined || isPlaceholder(next);
}

/** What it begins with, where that is an identifier or a code: `TypeError`, `http_429`. */
function nameOfError(tokens: readonly Token[]): Token[] {
  const [first, second] = tokens;
  if (first?.kind !== "name") return [nothingShown];
  return second?.text === ":" ? [first, second, nothingShown] : [first, nothingShown];
}

/** As it was, but with what is withheld in a row said once. */
function joined(tokens: readonly Token[]): string {
  let text = "";
  let wasWithheld = false;
  for (const token of tokens) {
    const isWithheld = token.kind === "withheld";
    if (isWithheld && wasWithheld) continue;
    text += `${text === "" || token.gap === "" ? "" : " "}${token.text}`;
    wasWithheld =
      isWithheld ||
      (wasWithheld && token.kind === "mark" && token.gap === "" && /['/.:-]/.test(token.text));
  }
  return text.replaceAll(/(?:<…>[\s'/.:,-]*){2,}/g, `${withheld} `).trim() || withheld;
}
