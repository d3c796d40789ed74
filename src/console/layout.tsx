import type { Child } from "hono/jsx";
import { cleanText } from "../schema/plain-text.ts";
import { assets } from "./assets.ts";
import type { Page, PageRequest, Shown } from "./page.ts";
import { Field } from "./parts/form.tsx";
import { Text } from "./parts/text.tsx";
import { type RangeName, ranges } from "./range.ts";

/** Everything around a page. */
export function Layout(options: {
  readonly page: Page;
  readonly pages: readonly Page[];
  readonly request: PageRequest;
  readonly shown: Shown;
  /** `shown.body`, rendered. */
  readonly body: Child;
  readonly notice: string | null;
  readonly problem: string | null;
  /** Of a page that lives: its address, and what is shown of it now. */
  readonly live: { readonly address: string; readonly seen: string } | null;
}) {
  const { page, pages, request, shown, body, notice, problem, live } = options;
  return (
    <Document title={shown.title} formToken={request.formToken}>
      <a class="skip" href="#content">
        Skip to the content
      </a>
      <header class="top">
        <a class="brand" href={request.href("/")}>
          <img src={assets.icon.path} alt="" width="20" height="20" />
          Experience Bus
        </a>
        <Navigation {...{ page, pages, request }} />
        <Account request={request} />
      </header>
      <main id="content" tabindex={-1}>
        <div class="heading">
          <Crumbs {...{ shown, request }} />
          <h1>
            <Text fit="lines">{shown.title}</Text>
          </h1>
          {page.range && <Ranges request={request} />}
        </div>
        <p class="unseen" role="status" id="news" />
        {notice && (
          <p class="notice" role="status">
            {notice}
          </p>
        )}
        {problem && (
          <p class="problem" role="alert">
            {problem}
          </p>
        )}
        {live && (
          <p class="problem" id="stale" role="status" hidden>
            Not connected: what is shown may be old. It is tried again.
          </p>
        )}
        <div
          {...(live && {
            ...{ "data-live": live.address, "data-seen": live.seen },
            "data-worker": assets.worker.path,
          })}
        >
          {body}
        </div>
      </main>
    </Document>
  );
}

/** A whole document, with or without the shell. */
export function Document(options: {
  readonly title: string;
  readonly formToken?: string;
  readonly children: Child;
}) {
  return (
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        {options.formToken && <meta name="form-token" content={options.formToken} />}
        <title>{`${cleanText(options.title)} · Experience Bus`}</title>
        <link rel="icon" type="image/svg+xml" href={assets.icon.path} />
        <link rel="stylesheet" href={assets.style.path} />
        <script src={assets.script.path} defer />
      </head>
      <body>{options.children}</body>
    </html>
  );
}

function Navigation(options: {
  readonly page: Page;
  readonly pages: readonly Page[];
  readonly request: PageRequest;
}) {
  const { page, pages, request } = options;
  const shown = pages.filter(
    ({ entry, may, fleet }) =>
      entry && request.may(may ?? "read") && (!fleet || request.seesAllTenants),
  );
  return (
    <nav class="main" aria-label="Main">
      {shown.map(({ path, entry }) => (
        <a href={request.href(path)} {...(path === page.section && { "aria-current": "page" })}>
          {entry}
        </a>
      ))}
    </nav>
  );
}

function Account({ request }: { readonly request: PageRequest }) {
  return (
    <div class="account">
      {request.seesAllTenants && (
        <form method="get" class="tenant">
          <Field label="Tenant" name="tenant" value={request.tenant} maxLength={128} />
          <button class="button" type="submit">
            Show
          </button>
        </form>
      )}
      {request.signedInAs !== null && (
        <form method="post" action="/sign-out">
          <input type="hidden" name="form_token" value={request.formToken} />
          <button class="button" type="submit" title={`signed in as ${request.signedInAs}`}>
            Sign out
          </button>
        </form>
      )}
    </div>
  );
}

function Crumbs(options: { readonly shown: Shown; readonly request: PageRequest }) {
  const { crumbs = [], title } = options.shown;
  if (crumbs.length === 0) return null;
  return (
    <nav class="crumbs" aria-label="Breadcrumbs">
      <ol>
        {crumbs.map((one) => (
          <li>
            <a href={one.href}>
              <Text>{one.title}</Text>
            </a>
          </li>
        ))}
        <li aria-current="page">
          <Text>{title}</Text>
        </li>
      </ol>
    </nav>
  );
}

function Ranges({ request }: { readonly request: PageRequest }) {
  const query = Object.fromEntries(request.query);
  return (
    <nav class="ranges" aria-label="Time range">
      {(Object.keys(ranges) as RangeName[]).map((range) => (
        <a
          href={request.href("", { ...query, cursor: null, range })}
          {...(range === request.range && { "aria-current": "true" })}
        >
          {ranges[range].name}
        </a>
      ))}
    </nav>
  );
}
