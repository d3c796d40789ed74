/** For programs: one JSON document. */
export function printJson(value: object): void {
  console.log(JSON.stringify(value, null, 2));
}

/** What goes below a command's help. */
export function examples(...lines: string[]): string {
  return ["", "Examples:", ...lines.map((line) => `  experience-bus ${line}`)].join("\n");
}
