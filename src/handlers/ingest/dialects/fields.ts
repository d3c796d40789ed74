/** Reading of hooks and lines of session files: JSON objects whose shape nobody warrants. */
export type Fields = Readonly<Record<string, unknown>>;

export function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The object under that key; an empty one where there is none. */
export function objectIn(fields: Fields, key: string): Fields {
  const value = fields[key];
  return isFields(value) ? value : {};
}

/** The text under that key, where it is one that says something. */
export function textIn(fields: Fields, key: string): string | undefined {
  const value = fields[key];
  return typeof value === "string" && value.trim() !== "" ? value : undefined;
}

export function numberIn(fields: Fields, key: string): number | undefined {
  const value = fields[key];
  return typeof value === "number" && Number.isFinite(value) ? value : undefined;
}

/**
 * The project: the last part of the working folder. Lessons of all repositories would mix without it. A folder of git
 * work trees (`shop-worktrees/`, `shop/.claude/worktrees/`) is many folders of one project.
 */
export function projectOf(cwd: string | undefined): string | undefined {
  const parts = cwd?.split(/[/\\]+/).filter((part) => part !== "") ?? [];
  const at = parts.findLastIndex((part) => /(?:^|[-_.])worktrees$/.test(part));
  if (at < 0 || at === parts.length - 1) return parts.at(-1);
  const ofFolder = parts[at]?.replace(/[-_.]?worktrees$/, "");
  return ofFolder || parts.slice(0, at).findLast((part) => !part.startsWith(".")) || parts.at(-1);
}

/** Where a tool's result is a text or a list of blocks: the text. */
export function contentText(content: unknown): string {
  if (typeof content === "string") return content;
  if (!Array.isArray(content)) return "";
  return content.map((block) => (isFields(block) ? (textIn(block, "text") ?? "") : "")).join("\n");
}
