import { accessSync, constants } from "node:fs";

/** A setting's value such that nothing of it is a secret: what is not known to be harmless is left out. */
export function redacted(name: string, value: string): string {
  if (/(PASSWORD|TOKEN|SECRET)S?$/.test(name)) return hidden;
  if (/^NATS_(CREDS|NKEY|CA|CERT|KEY)$/.test(name)) return readablePath(value);
  return /_(URL|ENDPOINT)$/.test(name) ? redactedUrl(value) : value;
}

const hidden = "(set, not shown)";

/** Somebody may have put the secret itself where the name of its file belongs. */
function readablePath(value: string): string {
  try {
    accessSync(value, constants.R_OK);
    return value;
  } catch {
    return "(set, but names no file that can be read)";
  }
}

/** One URL, or several separated by commas, NATS's way. */
function redactedUrl(text: string): string {
  if (!/^postgres(ql)?:/.test(text)) return text.split(",").map(redactedServer).join(",");
  const url = /^(postgres(?:ql)?:\/\/)(?:([^@/?#]*)@)?([^@/?#]*)(\/[\w-]*)?(\?[^@#]*)?$/.exec(text);
  if (url === null) return hidden;
  const [, scheme, login, host, path = "", query = ""] = url;
  const user =
    login === undefined ? "" : `${/^[^:]*/.exec(login)?.[0]}${login.includes(":") ? ":***" : ""}@`;
  return `${scheme}${user}${host}${path}${redactedQuery(query)}`;
}

/** What comes before the `@` can be a token as well as a user. */
function redactedServer(text: string): string {
  const server = /^\s*(\w+:\/\/)?(?:([^@/?#]*)@)?([^@/?#]+)(\/v1\/traces)?\/?\s*$/.exec(text);
  if (server === null) return hidden;
  const [, scheme = "", login, host, path = ""] = server;
  return `${scheme}${login === undefined ? "" : "***@"}${host}${path}`;
}

function redactedQuery(query: string): string {
  if (query === "") return "";
  const pairs = query.slice(1).split("&");
  return `?${pairs.map((pair) => (/^sslmode=[\w-]*$/.test(pair) ? pair : "***")).join("&")}`;
}
