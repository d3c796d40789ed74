import { BusError } from "../../errors.ts";
import { eitherWords, partWords, plainWords, verbWords } from "./words.ts";

/** `plain` passes everywhere, `either` where it is a noun, `verb` after "cannot" and inside identifiers, `part` there alone. */
export type WordClass = "plain" | "either" | "verb" | "part";

export interface Vocabulary {
  /** Of a word in lower case; undefined: it reaches no prompt. */
  classOf(word: string): WordClass | undefined;
  /** Whether people have added it as a name that passes whole. */
  isName(text: string): boolean;
}

const known = new Map<string, WordClass>();
for (const [list, kind] of [
  [plainWords, "plain"],
  [eitherWords, "either"],
  [verbWords, "verb"],
  [partWords, "part"],
] as const) {
  for (const word of list.trim().split(/\s+/)) known.set(word, kind);
}

/** The words of the list, and the words and names that people have added; these pass everywhere. */
export function vocabularyOf(added: readonly string[] = []): Vocabulary {
  const own = new Set(added);
  return {
    classOf: (word) => (own.has(word) ? "plain" : listed(word)),
    isName: (text) => own.has(text) && !wordShape.test(text),
  };
}

const wordShape = /^[a-z]{1,32}$/;
const nameShape = /^[A-Za-z0-9](?:[A-Za-z0-9_.:/-]{0,78}[A-Za-z0-9])?$/;

function listed(word: string): WordClass | undefined {
  return known.get(word) ?? (forms(word).some((form) => known.has(form)) ? "plain" : undefined);
}

/** What it is a form of, none of which gives an order: plurals, participles, opposites. */
function forms(word: string): string[] {
  if (word.length < 5) return [];
  const of = (ending: string, ...instead: string[]) =>
    word.endsWith(ending) ? instead.map((one) => word.slice(0, -ending.length) + one) : [];
  return [
    ...of("ies", "y"),
    ...of("es", ""),
    ...of("s", ""),
    ...[...of("ed", "", "e"), ...of("ied", "y"), ...of("ing", "", "e")].filter(
      (one) => one.length > 2,
    ),
    // "referred", "running"
    ...[...of("ed", ""), ...of("ing", "")]
      .filter((one) => one.at(-1) === one.at(-2))
      .map((one) => one.slice(0, -1)),
    ...(word.startsWith("un") ? [word.slice(2)] : []),
    ...(word.startsWith("non") ? [word.slice(3)] : []),
  ];
}

const mostAdded = 10_000;

/**
 * The words of a `LESSON_WORDS` file: one a line, letters a to z, or a name as it is (`approve_refund`); what follows `#`
 * is a comment. Throws `BusError` `bad_request` with the line that is none.
 */
export function parseWords(text: string): string[] {
  const words = text.split(/\r?\n/).flatMap((line, index) => {
    const word = line.replace(/#.*/, "").trim();
    if (word === "") return [];
    if (wordShape.test(word.toLowerCase())) return [word.toLowerCase()];
    if (nameShape.test(word)) return [word];
    throw new BusError(
      "bad_request",
      `line ${index + 1}: expected a word of letters a to z, or a name`,
    );
  });
  if (words.length <= mostAdded) return words;
  throw new BusError("bad_request", `has ${words.length} words, more than ${mostAdded}`);
}
