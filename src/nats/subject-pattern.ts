/**
 * Whether every subject that `inner` matches is matched by `outer` (NATS wildcards: `*` one token, `>`
 * one or more at the end). A subject without wildcards is the pattern that matches just itself.
 */
export function includesSubject(outer: string, inner: string): boolean {
  const wide = outer.split(".");
  const narrow = inner.split(".");
  for (const [i, token] of wide.entries()) {
    if (token === ">") return narrow.length > i;
    if (narrow[i] === undefined || narrow[i] === ">") return false;
    if (token !== "*" && token !== narrow[i]) return false;
  }
  return wide.length === narrow.length;
}

/** Whether there is a subject that both match. */
export function overlapsSubject(one: string, other: string): boolean {
  const [first, second] = [one.split("."), other.split(".")];
  for (let i = 0; i < Math.max(first.length, second.length); i++) {
    const [a, b] = [first[i], second[i]];
    if (a === undefined || b === undefined) return false;
    if (a === ">" || b === ">") return true;
    if (a !== "*" && b !== "*" && a !== b) return false;
  }
  return true;
}
