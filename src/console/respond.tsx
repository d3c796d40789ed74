import { raw } from "hono/html";
import { type Child, Fragment } from "hono/jsx";
import type { BusError } from "../errors.ts";
import { Document, Layout } from "./layout.tsx";
import { contentId } from "./live.ts";
import type { Page, PageRequest, Shown } from "./page.ts";
import { pages } from "./pages/index.ts";

/** Nothing is loaded from elsewhere, nothing of a page's text runs, and no other page can show it in a frame. */
const headers = {
  "Content-Type": "text/html; charset=utf-8",
  "Content-Security-Policy": [
    ...["default-src 'none'", "style-src 'self'", "script-src 'self'", "img-src 'self' data:"],
    ...["connect-src 'self'", "form-action 'self'", "frame-ancestors 'none'", "base-uri 'none'"],
  ].join("; "),
  // Forms say where they come from by their origin, which "no-referrer" would hide.
  "Referrer-Policy": "same-origin",
  "Cross-Origin-Opener-Policy": "same-origin",
  "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
  "Cache-Control": "no-store",
} as const;

export async function htmlOf(body: Child): Promise<string> {
  // A body may be a list, or text.
  return String(await Fragment({ children: body }).toString());
}

export async function htmlResponse(body: Child, status = 200): Promise<Response> {
  return new Response(`<!doctype html>${await htmlOf(body)}`, { status, headers });
}

/** The whole document around a page. */
export async function shellOf(options: {
  readonly page: Page;
  readonly request: PageRequest;
  readonly shown: Shown;
  readonly notice: string | null;
  readonly problem: string | null;
}) {
  const { page, request, shown, notice, problem } = options;
  const { tenant, range, ...query } = Object.fromEntries(request.query);
  const html = await htmlOf(shown.body);
  const address = request.href("", { ...query, notice: null, count: null });
  return (
    <Layout
      {...{ page, pages, request, shown, notice, problem }}
      body={raw(html)}
      live={page.isLive ? { address, seen: contentId(html) } : null}
    />
  );
}

const titles: Partial<Record<BusError["code"], string>> = {
  not_found: "Not found",
  forbidden: "Not allowed",
  unavailable: "Not available right now",
  timeout: "Not available right now",
  busy: "Too many requests",
};

export async function problemPage(error: BusError): Promise<Response> {
  const title = titles[error.code] ?? "This did not work";
  const body = (
    <Document title={title}>
      <main id="content" class="alone">
        <h1>{title}</h1>
        <p>{error.message}</p>
        <p>
          <a href="/">To the console</a>
        </p>
      </main>
    </Document>
  );
  return await htmlResponse(body, error.status);
}
