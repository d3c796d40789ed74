import { html } from "hono/html";
import { cleanText, visibleParts } from "../../schema/plain-text.ts";

/**
 * Text of somebody else: isolated, so that its direction stays its own, and with what hides in it made visible. It breaks
 * anywhere, so that no layout breaks.
 */
export function Text(options: {
  readonly children: unknown;
  readonly code?: boolean;
  /** How much room it gets: all that it takes, three lines, or a part of one. */
  readonly fit?: "all" | "lines" | "short";
}) {
  const { children, code, fit = "all" } = options;
  const text = children === null || children === undefined ? "" : String(children);
  const parts = visibleParts(text).map(({ text: part, isHidden }) =>
    isHidden
      ? html`<span class="hidden-character" title="a character that is not seen">${part}</span>`
      : part,
  );
  const classes = `text${code ? " code" : ""}${fit === "all" ? "" : ` ${fit}`}`;
  return fit === "all"
    ? html`<bdi class="${classes}">${parts}</bdi>`
    : html`<bdi class="${classes}" title="${cleanText(text)}">${parts}</bdi>`;
}

/** Any value as JSON, over several lines. */
export function Json({ value }: { readonly value: unknown }) {
  return (
    <pre class="block" tabindex={0}>
      <Text code>{JSON.stringify(value, null, 2)}</Text>
    </pre>
  );
}
