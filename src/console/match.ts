import type { Page } from "./page.ts";

/** The page at a path, with what its parameters are; null: there is none. */
export function matchPage(
  pages: readonly Page[],
  path: string,
): { readonly page: Page; readonly params: Readonly<Record<string, string>> } | null {
  const given = path.split("/");
  for (const page of pages) {
    const params = paramsOf(page.path.split("/"), given);
    if (params !== null) return { page, params };
  }
  return null;
}

function paramsOf(wanted: readonly string[], given: readonly string[]) {
  if (wanted.length !== given.length) return null;
  const params: Record<string, string> = {};
  for (const [index, part] of wanted.entries()) {
    const text = given[index] ?? "";
    if (!part.startsWith(":")) {
      if (part !== text) return null;
      continue;
    }
    const value = decoded(text);
    if (value === null || value === "") return null;
    params[part.slice(1)] = value;
  }
  return params;
}

function decoded(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    // What is no UTF-8 names nothing.
    return null;
  }
}
