import { isCode, judgeIdentifier } from "./identifiers.ts";
import type { Vocabulary } from "./vocabulary.ts";

/** A text of an event in its words and marks, each judged by itself. */

export type Kind = "plain" | "either" | "verb" | "name" | "letter" | "number" | "withheld" | "mark";

export interface Token {
  text: string;
  readonly kind: Kind;
  /** Lower case; empty where it is no word. */
  readonly word: string;
  /** What stood between it and the token before. */
  readonly gap: string;
}

const piece = /<[A-Za-z_]{1,24}>|[^\s,;!?()"%=<>[\]{}|\\`*#~^&+]+|[\s\S]/gu;
const mark = /^[.,:;!?()'%/=-]$/;
const numberShape = /^[-+]?\d[\d.,:]{0,20}(?:ms|s|m|h|k|kb|mb|gb|b|px|st|nd|rd|th)?$/i;

const errorName = /(?:Error|Exception|Warning|Exist|Found|Violation|Timeout)$/;

/** So many identifiers that name something to do may pass. */
const mostActs = 2;
/** And so many numbers: with more of them a text could be spelled, a character a number. */
const mostNumbers = 8;

const quotes = /[’‘´`]/g;
export function plainMarks(text: string): string {
  return text
    .replaceAll(quotes, "'")
    .replaceAll(/[“”]/g, '"')
    .replaceAll(/[–—]/g, "-")
    .replaceAll("…", "...");
}

export function tokensOf(text: string, vocabulary: Vocabulary): Token[] {
  const tokens: Token[] = [];
  let acts = 0;
  let numbers = 0;
  let odd = 0;
  let gap = "";
  const add = (one: string, kind: Kind, word = "") => {
    tokens.push({ text: one, kind, word, gap });
    gap = "";
  };
  for (const [found] of text.matchAll(piece)) {
    if (/^\s$/.test(found)) {
      gap = found === "\n" ? "\n" : gap || " ";
      continue;
    }
    const [, before = "", core = "", after = ""] =
      /^(['./:-]*)([\s\S]*?)(['./:-]*)$/.exec(found) ?? [];
    const isPath = before.includes("/");
    for (const one of isPath ? "" : before) if (mark.test(one) && core !== "") add(one, "mark");
    for (const { text: part, kind, word } of judged(core, before, vocabulary)) {
      if (kind === "act") add(part, ++acts > mostActs ? "withheld" : "name");
      else if (kind === "odd") add(part, ++odd > 1 ? "withheld" : "name");
      else if (kind === "number") add(part, ++numbers > mostNumbers ? "withheld" : "number");
      else add(part, kind, word);
    }
    for (const one of core === "" ? before + after : after) if (mark.test(one)) add(one, "mark");
  }
  return tokens;
}

interface Judged {
  readonly text: string;
  readonly kind: Kind | "act" | "odd";
  readonly word: string;
}

/** What stands between white space, without the marks around it. */
function judged(core: string, before: string, vocabulary: Vocabulary): Judged[] {
  const as = (kind: Kind | "act" | "odd", word = ""): Judged[] => [{ text: core, kind, word }];
  if (core === "") return [];
  if (/^<[A-Za-z_]+>$/.test(core)) {
    const [inner = ""] = core.slice(1, -1).toLowerCase().split("_");
    const known = inner.length === 1 || vocabulary.classOf(inner) !== undefined;
    return as(known && core.length <= 14 ? "name" : "withheld");
  }
  if (mark.test(core)) return as("mark");
  if (/^[^\p{L}\p{N}]$/u.test(core)) return [];
  if (/[^\x21-\x7e]/.test(core) || /:\/\/|@|^www\.|^data:|\$/.test(core) || before.includes("/"))
    return as("withheld");
  if (numberShape.test(core)) return as("number");
  if (isCode(core) || /^(?:I\/O|i\/o|e\.g|i\.e)$/.test(core)) return as("name");
  if (/^[A-Za-z]$/.test(core) && core !== "a" && core !== "A") return as("letter");
  const word = core.toLowerCase();
  if (/^[a-z]+(?:'[a-z]{1,2})?$/.test(word)) {
    const kind = vocabulary.classOf(word) ?? vocabulary.classOf(word.replace(/'s$/, ""));
    const isWord =
      kind !== undefined && kind !== "part" && /^(?:[A-Z]?[a-z']+|[A-Z']+)$/.test(core);
    // "MySQL", "GitHub"
    if (isWord || kind === "plain") return as(kind, word);
    return as(/[a-z][A-Z]|[A-Z]{2}[a-z]/.test(core) ? kindOf(core, vocabulary) : "withheld");
  }
  // "read-only", "and/or", "key:value", "user's-name": each part is judged.
  const parts = core.split(/([-/:'])/);
  if (parts.length > 1 && parts.length <= 9 && !/^[A-Za-z0-9]*\/[A-Za-z0-9/]*\/|^~/.test(core)) {
    return parts.flatMap((part, index) =>
      index % 2 === 1
        ? [{ text: part, kind: "mark" as const, word: "" }]
        : judged(part, "", vocabulary),
    );
  }
  return named(core, vocabulary);
}

/** A dotted name by as much of its end as may be shown: `OperationalError`. */
function named(core: string, vocabulary: Vocabulary): Judged[] {
  const whole = kindOf(core, vocabulary);
  const segments = core.split(".");
  if (whole !== "withheld" || segments.length > 6) return [{ text: core, kind: whole, word: "" }];
  for (let from = 1; from < segments.length; from++) {
    const text = segments.slice(from).join(".");
    if (errorName.test(text) && kindOf(text, vocabulary) === "name")
      return [{ text, kind: "name", word: "" }];
  }
  return [{ text: core, kind: "withheld", word: "" }];
}

function kindOf(core: string, vocabulary: Vocabulary): Kind | "act" | "odd" {
  return judgeIdentifier(core, vocabulary) ?? "withheld";
}
