import type { Child } from "hono/jsx";
import type { PageRequest } from "../page.ts";

/** A table that scrolls by itself where there is no room; `caption` says what it holds to whoever does not see it. */
export function Table(options: {
  readonly caption: string;
  readonly head: readonly Column[];
  readonly children: Child;
}) {
  const { caption, head, children } = options;
  return (
    <section class="scroll" tabindex={0} aria-label={caption}>
      <table>
        <caption class="unseen">{caption}</caption>
        <thead>
          <tr>
            {head.map(({ title, kind }) => (
              <th scope="col" class={kind ?? ""}>
                {title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </section>
  );
}

export interface Column {
  readonly title: string;
  /** `number`: to the right; `wide`: only where there is room. */
  readonly kind?: "number" | "wide" | "number wide";
}

/** What a list says where it has nothing: what to do next. */
export function Empty({ title, children }: { readonly title: string; readonly children?: Child }) {
  return (
    <div class="empty">
      <p class="empty-title">{title}</p>
      {children}
    </div>
  );
}

/** The way to what follows, by the cursor of a reply. */
export function Pager(options: {
  readonly request: Pick<PageRequest, "href" | "query">;
  readonly path: string;
  readonly cursor: string | null;
}) {
  const { request, path, cursor } = options;
  const isFirst = !request.query.has("cursor");
  if (isFirst && cursor === null) return null;
  const query = Object.fromEntries(request.query);
  return (
    <nav class="pager" aria-label="Pages">
      {!isFirst && (
        <a class="button" href={request.href(path, { ...query, cursor: null })}>
          First page
        </a>
      )}
      {cursor !== null && (
        <a class="button" rel="next" href={request.href(path, { ...query, cursor })}>
          Next page
        </a>
      )}
    </nav>
  );
}

/** A word about a state. `kind` adds a colour; the word says it all. */
export function Badge(options: {
  readonly kind?: "good" | "bad" | "warn" | "plain";
  readonly children: Child;
}) {
  return <span class={`badge ${options.kind ?? "plain"}`}>{options.children}</span>;
}

/** Names and values. */
export function Facts({ facts }: { readonly facts: readonly (readonly [string, Child])[] }) {
  return (
    <dl class="facts">
      {facts.map(([name, value]) => (
        <div>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
