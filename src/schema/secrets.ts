import { hash } from "node:crypto";
import { secretField, secretMark, secretShapes } from "./secret-shapes.ts";

/**
 * Whether a text can have a secret at all: most have not, and looking for each shape costs many times as much. Each
 * shape has one of these.
 */
const suspicious = new RegExp(
  [
    "[=@]|-----BEGIN|identified by|hooks\\.slack|webhooks|Q~|:AA|1\\/\\/0|(?:\\d[ -]?){13}",
    "(?<![a-z0-9])(?:[srp]k[-_0-9a-f]|gh[opusr]_|github_pat|gl[a-z]{2,5}-|A[KSRIBC][A-Z]A|AIza|ya29|GOCSPX|LTAI|do[opr]_|xox|xapp|AC[0-9a-f]{8}|SG\\.|hv[sbr]\\.|[MNO][\\w-]{23,25}\\.|eyJ|S[UAONCX][A-Z2-7]{54}|AGE-)",
    "(?<![a-z0-9])(?:npm|hf|gsk|r8|figd|lin|sbp|nfp|sntrys|ntn|pscale|shp[a-z]{2}|whsec|dckr|ghtok|fio-u|rnd|phc|lsv2|tvly|glsa|fo1|FlyV1|pypi|nvapi|xai|pplx|PMAK|HRKU|NRAK|dapi|CFPAT|sq0|fw|dp\\.)[-_.]",
    "key|token|secret|pass|pwd|auth|cookie|bearer|basic|credential|signature|sig|jwt|negotiate|connection",
  ].join("|"),
  "i",
);

/** Shorter than any secret with what makes it one. */
const shortest = 7;

/** The text with each secret in it replaced by `<secret>`; the same string where there is none. */
export function maskSecrets(text: string): string {
  if (text.length < shortest || !suspicious.test(text)) return text;
  let masked = text;
  for (const { pattern, by } of secretShapes) {
    masked = by ? masked.replace(pattern, by) : masked.replace(pattern, secretMark);
  }
  return masked;
}

/**
 * The same for an identity: two that differ stay different, by the first 8 hex digits of the SHA-256 of the whole. At most
 * `length` characters.
 */
export function maskSecretsOfId(id: string, length = 128): string {
  const masked = maskSecrets(id);
  if (masked === id) return id;
  const mark = `#${hash("sha256", id, "hex").slice(0, 8)}`;
  return `${masked.slice(0, length - mark.length).replace(/[\ud800-\udbff]$/, "")}${mark}`;
}

/** A JSON value with each text in it masked, and the values of fields that are named after secrets; it has no other effect. */
export function maskSecretsIn<T>(value: T): T {
  return masked(value) as T;
}

function masked(value: unknown): unknown {
  if (typeof value === "string") return maskSecrets(value);
  if (Array.isArray(value)) {
    const items = value.map(masked);
    return items.some((item, i) => item !== value[i]) ? items : value;
  }
  if (typeof value !== "object" || value === null) return value;
  let changed = false;
  const entries = Object.entries(value).map(([key, item]) => {
    const [name, clean] = [maskSecrets(key), ofField(key, item)];
    changed ||= name !== key || clean !== item;
    return [name, clean];
  });
  return changed ? Object.fromEntries(entries) : value;
}

function ofField(key: string, item: unknown): unknown {
  const isText = (typeof item === "string" && item !== "") || typeof item === "number";
  return isText && secretField.test(key) ? secretMark : masked(item);
}
