/** For programs: one JSON document. */
export function printJson(value: object): void {
  console.log(jsonOf(value, 2));
}

/**
 * The same value as `JSON.stringify` says, but a terminal obeys nothing in it: that lets pass what C1 and the
 * characters that turn the direction of a line do there.
 */
export function jsonOf(value: object, indent = 0): string {
  return JSON.stringify(value, null, indent).replaceAll(/(?!\n)[\p{Cc}\p{Cf}]/gu, (character) =>
    Array.from({ length: character.length }, (_, at) => escaped(character.charCodeAt(at))).join(""),
  );
}

function escaped(unit: number): string {
  return `\\u${unit.toString(16).padStart(4, "0")}`;
}

/** What goes below a command's help. */
export function examples(...lines: string[]): string {
  return ["", "Examples:", ...lines.map((line) => `  experience-bus ${line}`)].join("\n");
}
