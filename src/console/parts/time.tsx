import { html } from "hono/html";

const units = [
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["min", 60_000],
  ["s", 1_000],
] as const;

/** A moment as people say it, with the exact one on hover. `at` is ISO 8601 or epoch ms. */
export function Time({ at, now }: { readonly at: string | number; readonly now: number }) {
  const ms = new Date(at).getTime();
  const iso = new Date(ms).toISOString();
  const exact = `${iso.slice(0, 19).replace("T", " ")} UTC`;
  return html`<time datetime="${iso}" title="${exact}">${relative(ms - now)}</time>`;
}

/** `assets/console.js` says the same while a page is open. */
export function relative(ms: number): string {
  const text = durationText(Math.abs(ms));
  if (text === null) return "just now";
  return ms > 0 ? `in ${text}` : `${text} ago`;
}

/** `3 min`; null below a second. */
export function durationText(ms: number): string | null {
  const [name, size] = units.find(([, one]) => ms >= one) ?? [];
  return size === undefined ? null : `${Math.floor(ms / size)} ${name}`;
}
