import { accessSync, constants } from "node:fs";

/** A setting's value such that nothing of it is a secret: what is not known to be harmless is left out. */
export function redacted(name: string, value: string): string {
  if (name === "EXPERIENCE_HTTP_TOKENS") return readablePath(value);
  if (/(PASSWORD|TOKEN|SECRET|PLANNER_KEY|COIN_KEY)S?$/.test(name)) return hidden;
  if (name === "MISSION_PLANNER") return redactedPlanner(value);
  if (namesFile.test(name)) return readablePath(value);
  if (name === "LEARNER_DATABASE_URL") return redactedDatabase(value);
  if (!/_(URL|ENDPOINT)$/.test(name)) return value;
  const servers = value.split(",").map(redactedServer);
  return servers.every((server) => server !== null) ? servers.join(",") : hidden;
}

const namesFile =
  /^(NATS_(CREDS|NKEY|CA|CERT|KEY)|MISSION_PRIVATE_KEY|LEARNER_DATABASE_PASSWORD_FILE|PGPASSFILE|PGSSL(ROOTCERT|CERT|KEY|CRL))$/;

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

/** A URL may hold a login or a key; a subject holds nothing. */
function redactedPlanner(text: string): string {
  const isHarmless = /^(nats:[\w.-]+|https?:\/\/[\w.:[\]-]+(\/[\w./-]*)?)$/i.test(text);
  return isHarmless ? text : hidden;
}

/** libpq would take other forms, too, but the service does not: what is in them is not known. */
function redactedDatabase(text: string): string {
  const url = /^(postgres(?:ql)?:\/\/)(?:([^@/?#]*)@)?([\w.,:%[\]-]*)(\/[\w-]*)?(\?[^@#]*)?$/.exec(
    text,
  );
  if (url === null) return hidden;
  const [, scheme, login, host, path = "", query = ""] = url;
  const user =
    login === undefined ? "" : `${/^[^:]*/.exec(login)?.[0]}${login.includes(":") ? ":***" : ""}@`;
  return `${scheme}${user}${host}${path}${redactedQuery(query)}`;
}

/** What comes before the `@` can be a token as well as a user. Null where it is no server. */
function redactedServer(text: string): string | null {
  const server =
    /^\s*(\w+:\/\/)?(?:([^@/?#]*)@)?((?:[\w.-]+|\[[\w:.]+\])(?::\d+)?)(\/v1\/traces)?\/?\s*$/.exec(
      text,
    );
  if (server === null) return null;
  const [, scheme = "", login, host, path = ""] = server;
  return `${scheme}${login === undefined ? "" : "***@"}${host}${path}`;
}

function redactedQuery(query: string): string {
  if (query === "") return "";
  const pairs = query.slice(1).split("&");
  return `?${pairs.map((pair) => (/^sslmode=[\w-]*$/.test(pair) ? pair : "***")).join("&")}`;
}
