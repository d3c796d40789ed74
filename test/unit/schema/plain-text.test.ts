import fc from "fast-check";
import { expect, test } from "vitest";
import {
  cleanText,
  hiddenCharacter,
  isBlank,
  requireCleanText,
} from "../../../src/schema/plain-text.ts";

const hidden = [
  ["a control character", "\u0007", "U+0007"],
  ["an escape", "\u001b", "U+001B"],
  ["C1", "\u009b", "U+009B"],
  ["a tag", "\u{e0041}", "U+E0041"],
  ["a bidirectional override", "\u202e", "U+202E"],
  ["an isolate", "\u2066", "U+2066"],
  ["a zero-width space", "\u200b", "U+200B"],
  ["a zero-width joiner", "\u200d", "U+200D"],
  ["a byte order mark", "\ufeff", "U+FEFF"],
  ["a soft hyphen", "\u00ad", "U+00AD"],
  ["a variation selector", "\u{e0100}", "U+E0100"],
  ["a Hangul filler", "\u3164", "U+3164"],
  ["a line separator", "\u2028", "U+2028"],
  ["half a surrogate pair", "\ud800", "U+D800"],
] as const;

test.each(hidden)("%s is found by its code point, and removed", (_, character, name) => {
  expect(hiddenCharacter(`a${character}b`)).toBe(name);
  expect(cleanText(`a${character}b`)).toBe("ab");
});

test("what people write is clean: letters of all scripts, emoji, tabs and line breaks", () => {
  for (const text of ["naïve Straße 日本語 עברית", "😀", "a\tb\nc", "a\r\nb", ""]) {
    expect(hiddenCharacter(text)).toBeNull();
  }
  expect(cleanText("a\r\nb\rc")).toBe("a\nb\nc");
});

test("cleaned text is clean, and cleaning it again changes nothing", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      const clean = cleanText(text);
      expect(hiddenCharacter(clean)).toBeNull();
      expect(cleanText(clean)).toBe(clean);
    }),
  );
});

test("a request with hidden characters is refused by field, without repeating them", () => {
  const request = { case: { notes: ["fine", "se\u200bcret"] } };
  expect(() => requireCleanText(request)).toThrow(
    /^case\.notes\.1: has the hidden character U\+200B$/,
  );
  expect(() => requireCleanText({ "a\u202e": 1 })).toThrow(/hidden character U\+202E/);
  expect(() => requireCleanText({ a: [1, null, true, "ok"] })).not.toThrow();
});

test("white space says nothing", () => {
  for (const text of [null, undefined, "", " ", "\t\n", "\u00a0"]) expect(isBlank(text)).toBe(true);
  expect(isBlank(" x ")).toBe(false);
});
