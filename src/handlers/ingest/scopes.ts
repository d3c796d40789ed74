/** Whether spans of an instrumentation scope are taken. */
export type ScopeFilter = (scope: string) => boolean;

/** What `EXPERIENCE_OTLP_SCOPES` may be: names divided by commas, each with `!` before it or `*` after it. */
export const scopesPattern = /^(\s*(!?[^\s,!*]+\*?|!?\*)\s*(,|$))*$/;

/**
 * Two instrumentations of one call tell of it twice, under two span ids, and nothing in either says so: one of them has to
 * be left out by its scope. `openinference.*, strands` takes these alone; `!litellm` takes everything else. Empty: all.
 */
export function scopeFilter(list: string): ScopeFilter {
  const names = list.split(",").map((name) => name.trim()).filter((name) => name !== ""); // biome-ignore format: one line
  const denied = names.filter((name) => name.startsWith("!")).map((name) => name.slice(1));
  const allowed = names.filter((name) => !name.startsWith("!"));
  return (scope) =>
    !denied.some((name) => matches(name, scope)) &&
    (allowed.length === 0 || allowed.some((name) => matches(name, scope)));
}

function matches(name: string, scope: string): boolean {
  return name.endsWith("*") ? scope.startsWith(name.slice(0, -1)) : scope === name;
}
