/** At most this much of a text is read: its head, which says what was tried, and its tail, where the last exception is. */
const longestHead = 6_000;
const longestTail = 10_000;
/** One line, likewise. */
const longestLineHead = 1_200;
const longestLineTail = 400;

/** Colours and cursor moves of terminals, also where the escape character was lost or written out (`\x1b[31m`). */
const terminalCodes = [
  // biome-ignore lint/suspicious/noControlCharactersInRegex: terminal codes begin with one
  /(?:\u001b|\\x1b|\\u001b|\\033|\\e)\[[0-9;:?]{0,20}[ -/]{0,3}[@-~]|\u009b[0-9;]{0,20}[@-~]/gi,
  // biome-ignore lint/suspicious/noControlCharactersInRegex: a window's title, a link
  /\u001b\][^\u0007\u001b]{0,300}(?:\u0007|\u001b\\)/g,
  /\[(?:\d{1,3};){0,4}\d{1,3}m/g,
];

/** White space and lines as people see them, and no character that stands for something else later. */
export function cleanedText(text: string): string {
  let cleaned = headAndTail(text, longestHead, longestTail, "\n");
  for (const code of terminalCodes) cleaned = cleaned.replace(code, "");
  return cleaned
    .replace(/\r\n?/g, "\n")
    .replace(/[\p{Co}\p{Cs}\ufeff\u200b-\u200f\u2028-\u202e\u2060-\u2064]/gu, " ")
    .replace(/[\u2018\u2019\u201a\u201b]/g, "'")
    .replace(/[\u201c\u201d\u201e\u201f\u00ab\u00bb\u300a-\u300f]/g, '"')
    .replace(escapedBreaks, unescaped);
}

/**
 * A `\n` written out is a line break, `\t` white space; not so in a Windows path (`C:\new\temp`), which ends at a quote,
 * white space, or after the extension of a file.
 */
const escapedBreaks =
  /(?:\b[A-Za-z]:\\|\\\\(?=[\w.-]{1,60}\\))(?:(?!\.\w{1,5}\\[nrt])[^\s"'<>|*?])*(?:\.\w{1,5}(?=\\[nrt]))?|\\r\\n|(?<!\\)\\+[nrt](?![\w]*\\[\w])|(?<!\\)\\+n/g;

function unescaped(found: string): string {
  if (/^(?:[A-Za-z]:|\\\\[\w.-])/.test(found)) return found;
  return found.endsWith("t") ? " " : "\n";
}

/** Lines without white space at their end; of a long one its head and tail. */
export function linesOf(text: string): string[] {
  return text
    .split("\n")
    .map((line) => headAndTail(line, longestLineHead, longestLineTail, " ").trimEnd());
}

function headAndTail(text: string, head: number, tail: number, between: string): string {
  if (text.length <= head + tail) return text;
  return text.slice(0, head) + between + text.slice(-tail);
}

/** Where a message says what to do about it: that is worth more than its middle. */
const remedy =
  /^(?:please|try|use|using|run|set|add|install|did you mean|consider|make sure|ensure|you (?:can|must|may|should|might|need)|to (?:fix|resolve|avoid|see|use)|hint|help|note|instead|retry|reduce|increase|check|see|perhaps|either|specify|provide|upgrade|update|pass|wait|contact)\b/i;

/** At most `length` UTF-16 units: whole words, and the first remedy that the text names rather than what comes before it. */
export function shortened(text: string, length: number): string {
  if (text.length <= length) return text;
  const sentences = text.split(/(?<=[.!?;]) +/);
  let at = sentences[0]?.length ?? 0;
  for (const sentence of sentences.slice(1)) {
    at += 1;
    if (remedy.test(sentence) && at > length / 3) {
      const hint = wholeWords(sentence, Math.floor(length / 2));
      return `${wholeWords(text.slice(0, at).trim(), length - hint.length - 4)} .. ${hint}`;
    }
    at += sentence.length;
  }
  return wholeWords(text, length);
}

/** Never half a word, unless the text is one word; never half a surrogate pair, which PostgreSQL would refuse. */
function wholeWords(text: string, length: number): string {
  if (text.length <= length) return text;
  const last = text.charCodeAt(length - 1);
  const kept = text.slice(0, last >= 0xd800 && last <= 0xdbff ? length - 1 : length);
  if (/[\s]/.test(text.charAt(kept.length))) return kept.trimEnd();
  const end = kept.search(/\s\S*$/);
  return end <= 0 ? kept : kept.slice(0, end).trimEnd();
}
