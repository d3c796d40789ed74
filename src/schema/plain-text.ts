import { BusError } from "../errors.ts";

/**
 * Characters that people do not see and programs obey: controls other than line feed and tab, tags, bidirectional
 * controls, zero-width characters, variation selectors, fillers, and separators of lines and paragraphs.
 */
const hidden = /(?![\n\t])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]|\p{Cs}/gu;

/** Text without them; `\r\n` and a lone `\r` become `\n`. What is clean stays as it is. */
export function cleanText(text: string): string {
  return text.replaceAll(/\r\n?/g, "\n").replaceAll(hidden, "");
}

/** The first of them as `U+200B`; null where the text is clean. */
export function hiddenCharacter(text: string): string | null {
  const [found] = text.replaceAll("\r\n", "\n").match(hidden) ?? [];
  return found === undefined ? null : codePointOf(found);
}

/** The text in pieces: those that people see, and each hidden character as `U+200B`. */
export function visibleParts(
  text: string,
): { readonly text: string; readonly isHidden: boolean }[] {
  const parts: { text: string; isHidden: boolean }[] = [];
  let from = 0;
  for (const { 0: found, index } of text.matchAll(hidden)) {
    if (index > from) parts.push({ text: text.slice(from, index), isHidden: false });
    parts.push({ text: codePointOf(found), isHidden: true });
    from = index + found.length;
  }
  if (from < text.length) parts.push({ text: text.slice(from), isHidden: false });
  return parts;
}

const codePointOf = (character: string) =>
  `U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0")}`;

/**
 * Refuses hidden characters in any text of a request, however deep; throws `BusError` `bad_request`, which names the
 * field and the character and never repeats the text. Keys are looked at, too.
 */
export function requireCleanText(value: unknown, field = ""): void {
  if (typeof value === "string") {
    const found = hiddenCharacter(value);
    if (found === null) return;
    throw new BusError("bad_request", `${field || "text"}: has the hidden character ${found}`);
  }
  if (typeof value !== "object" || value === null) return;
  for (const [key, item] of Object.entries(value)) {
    const at = field === "" ? key : `${field}.${key}`;
    if (hiddenCharacter(key) !== null) requireCleanText(key, field || "a field's name");
    requireCleanText(item, at);
  }
}

/** White space alone says nothing. */
export function isBlank(text: string | null | undefined): boolean {
  return text === undefined || text === null || text.trim() === "";
}
