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
  if (found === undefined) return null;
  return `U+${(found.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0")}`;
}

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
