import type { Line } from "./lines.ts";

const char = (text: string) => text.charCodeAt(0);
const [quote, backslash, comma, newline] = [char('"'), char("\\"), char(","), 10];
const [openBrace, closeBrace] = [char("{"), char("}")];
const [openBracket, closeBracket] = [char("["), char("]")];

/**
 * The JSON values of a text, one after another, however they are broken into lines; an array on the outside stands for
 * its elements. What is no JSON is found out when a value is parsed: here only brackets and quotes are followed.
 * Of a value no more is held than the limit.
 */
export async function* valuesOf(
  chunks: AsyncIterable<Uint8Array>,
  limitBytes: number,
): AsyncGenerator<Line> {
  const splitter = createSplitter(limitBytes);
  for await (const chunk of chunks) {
    for (const byte of chunk) {
      const value = splitter.take(byte);
      if (value !== null) yield value;
    }
  }
  const last = splitter.end();
  if (last !== null) yield last;
}

function createSplitter(limitBytes: number) {
  let held: number[] = [];
  let size = 0;
  let depth = 0;
  let inArray = false;
  let inString = false;
  let isEscaped = false;
  let lineNumber = 1;
  let startLine = 1;
  let ordinal = 0;

  function keep(byte: number): void {
    size += 1;
    if (size <= limitBytes) held.push(byte);
  }

  function finish(): Line {
    const bytes = size <= limitBytes ? Uint8Array.from(held) : null;
    [held, size, depth, inString, isEscaped] = [[], 0, 0, false, false];
    ordinal += 1;
    return { number: startLine, ordinal, bytes };
  }

  function between(byte: number): Line | null {
    if (isSpace(byte) || byte === comma) return null;
    if (byte === openBracket && !inArray) inArray = true;
    else if (byte === closeBracket && inArray) inArray = false;
    else {
      startLine = lineNumber;
      return within(byte);
    }
    return null;
  }

  function within(byte: number): Line | null {
    if (depth === 0 && size > 0 && !inString && endsScalar(byte)) {
      const scalar = finish();
      between(byte);
      return scalar;
    }
    keep(byte);
    if (isEscaped) isEscaped = false;
    else if (inString && byte === backslash) isEscaped = true;
    else if (byte === quote) inString = !inString;
    else if (inString) return null;
    else if (byte === openBrace || byte === openBracket) depth += 1;
    else if (byte === closeBrace || byte === closeBracket) {
      depth -= 1;
      if (depth <= 0) return finish();
    }
    return null;
  }

  return {
    take(byte: number): Line | null {
      const value = size === 0 ? between(byte) : within(byte);
      if (byte === newline) lineNumber += 1;
      return value;
    },
    /** What the text leaves open. */
    end: (): Line | null => (size === 0 ? null : finish()),
  };
}

function endsScalar(byte: number): boolean {
  return byte === comma || byte === closeBracket || isSpace(byte);
}

/** The mark that may begin a file in UTF-8 is passed over, too. */
function isSpace(byte: number): boolean {
  return byte === 0x20 || (byte >= 0x09 && byte <= 0x0d) || [0xef, 0xbb, 0xbf].includes(byte);
}
