import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";

/** What pages load: from here alone, under names that change with their content. */
export interface Asset {
  readonly path: string;
  readonly type: string;
  readonly content: string;
  readonly etag: string;
}

function assetOf(name: string, ending: string, type: string): Asset {
  const content = readFileSync(new URL(`./assets/${name}.${ending}`, import.meta.url), "utf8");
  const hash = createHash("sha256").update(content).digest("hex").slice(0, 16);
  return { path: `/assets/${name}-${hash}.${ending}`, type, content, etag: `"${hash}"` };
}

export const assets = {
  style: assetOf("console", "css", "text/css; charset=utf-8"),
  script: assetOf("console", "js", "text/javascript; charset=utf-8"),
  worker: assetOf("live", "js", "text/javascript; charset=utf-8"),
  icon: assetOf("icon", "svg", "image/svg+xml"),
} as const;

/** An asset does not change under its name. */
export function serveAsset({ type, content, etag }: Asset, request: Request): Response {
  const headers = {
    "Content-Type": type,
    "Cache-Control": "public, max-age=31536000, immutable",
    ETag: etag,
    // A worker has what its own file allows it: to ask here.
    "Content-Security-Policy": "default-src 'none'; connect-src 'self'; frame-ancestors 'none'",
  };
  const isKnown = request.headers.get("If-None-Match") === etag;
  return new Response(isKnown ? null : content, { status: isKnown ? 304 : 200, headers });
}
