/** How values begin that only their owner, or the holder of a grant, can read. */
const mark = "enc:1:";

export function isEncrypted(value: unknown): boolean {
  return typeof value === "string" && value.trimStart().startsWith(mark);
}

/** The text; null where it is none, blank, or encrypted. */
export function plainText(value: unknown): string | null {
  if (typeof value !== "string" || isEncrypted(value) || value.trim() === "") return null;
  return value;
}

/** The same value, however deep, less every encrypted text and every key that looks like one. */
export function withoutEncrypted(value: unknown): unknown {
  if (isEncrypted(value)) return undefined;
  if (Array.isArray(value)) {
    return value.filter((item) => !isEncrypted(item)).map(withoutEncrypted);
  }
  if (typeof value !== "object" || value === null) return value;
  const kept = Object.entries(value).filter(
    ([key, item]) => !isEncrypted(key) && !isEncrypted(item),
  );
  return Object.fromEntries(kept.map(([key, item]) => [key, withoutEncrypted(item)]));
}
