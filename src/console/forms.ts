import { createHmac, hash, timingSafeEqual } from "node:crypto";
import { BusError } from "../errors.ts";
import { readBody } from "../http/body.ts";

/** An event has at most 256 KiB, each byte three characters in a form. */
const mostFormBytes = 1_024 * 1_024;

/** What a form of this session shows to prove that it is; empty where there are no sessions. */
export function formTokenOf(session: string | null): string {
  if (session === null) return "";
  return createHmac("sha256", session).update("experience-bus form").digest("base64url");
}

/**
 * The fields of a form that was sent from a page of ours. Throws `forbidden` for one that comes from elsewhere, or from another
 * session; `bad_request` for what is no form.
 */
export async function readForm(request: Request, session: string | null): Promise<URLSearchParams> {
  requireOwnPage(request);
  const type = request.headers.get("Content-Type") ?? "";
  if (!/^application\/x-www-form-urlencoded *(;|$)/i.test(type)) {
    throw new BusError("unsupported_media_type", "send a form");
  }
  const text = Buffer.from(await readBody(request, mostFormBytes)).toString("utf8");
  const form = new URLSearchParams(text);
  const digest = (value: string) => hash("sha256", value, "buffer");
  const given = digest(form.get("form_token") ?? "");
  if (timingSafeEqual(given, digest(formTokenOf(session)))) return form;
  throw new BusError("forbidden", "this form is of another session: open its page again");
}

/** Browsers say where a form comes from: a header that pages cannot set. */
function requireOwnPage({ headers }: Request): void {
  const site = headers.get("Sec-Fetch-Site");
  const origin = headers.get("Origin") ?? "";
  const isOwn =
    site === null
      ? URL.canParse(origin) && new URL(origin).host === headers.get("Host")
      : site === "same-origin";
  if (!isOwn) throw new BusError("forbidden", "a form is sent from a page of this console alone");
}
