import { visibleParts } from "../../schema/plain-text.ts";

/**
 * Text of somebody else: isolated, so that its direction stays its own, and with what hides in it made visible. It breaks
 * anywhere, so that no layout breaks.
 */
export function Text({ children, code }: { readonly children: unknown; readonly code?: boolean }) {
  const text = children === null || children === undefined ? "" : String(children);
  const parts = visibleParts(text).map(({ text: part, isHidden }) =>
    isHidden ? (
      <span class="hidden-character" title="a character that is not seen">
        {part}
      </span>
    ) : (
      part
    ),
  );
  return <bdi class={code ? "text code" : "text"}>{parts}</bdi>;
}

/** Any value as JSON, over several lines. */
export function Json({ value }: { readonly value: unknown }) {
  return (
    <pre class="block" tabindex={0}>
      <Text code>{JSON.stringify(value, null, 2)}</Text>
    </pre>
  );
}
