/**
 * What secrets look like in text. A row's pattern finds one, `by` is what is left of it; without `by` all of it is the
 * secret. Prefixes are those that the services themselves publish for secret scanners.
 */
export interface SecretShape {
  readonly what: string;
  readonly pattern: RegExp;
  readonly by?: (match: string, ...groups: string[]) => string;
}

export const secretMark = "<secret>";

/** What stands where a secret could and is none: nothing, a placeholder, a word about a secret. */
const noSecret =
  /^(?:<.*|\*+|x{3,}|\.{2,}|-+|\$\{?[\w.]*\}?|%[\w%]*|\[?redacted\]?|none|null|nil|undefined|true|false|empty|missing|required|invalid|expired|unknown|incorrect|wrong|denied|revoked|unauthori[sz]ed|mismatch(?:ed)?|failed|rejected|not|is|was|are|has|have|must|should|cannot|can|may|does|did|too|and|or|for|of|in|from|to|with|the|an?|this|that|your|no|on|at|by|be|provided|given|lambda|str|string|int|number|bytes|any|object|found|error|already|exists|length|type|name|value|id|field|auth|token|key|secret|password|credentials?|hash|header|env(?:ironment)?|config|settings?|input|default|optional|process\.env.*|os\.environ.*)$/i;

/** As names of settings, fields, headers and flags have them; any words may stand before them. */
const strongKey =
  "(?:[\\w.-]{0,40}[_-])?(?:api[_-]?keys?|apikey|app[_-]?key|access[_-]?key(?:[_-]?id)?|secret[_-]?access[_-]?key|secret[_-]?key|account[_-]?key|shared[_-]?key|private[_-]?key|encryption[_-]?key|signing[_-]?key|master[_-]?key|service[_-]?key|auth[_-]?key|client[_-]?secret|secret|password|passwd|passwort|passphrase|pwd|pass|token|access[_-]?token|refresh[_-]?token|id[_-]?token|auth[_-]?token|session[_-]?token|bearer|jwt|credentials?|authorization|signature|sig|x-amz-(?:signature|security-token|credential)|connection[_-]?string)";
const camelKey =
  "(?:[a-z][A-Za-z0-9]{0,30})?(?:apiKey|accessKey(?:Id)?|secretKey|privateKey|clientSecret|accessToken|refreshToken|idToken|authToken|sessionToken|sessionKey|connectionString|ApiKey|Password|Secret|Token)";
const keys = `(?:${strongKey}|${camelKey})`;

/** An unquoted value ends where text, JSON, a query or a shell's word ends. */
const value = "[^\\s\"'`&,;<>(){}\\[\\]|\\\\]";

export const secretShapes: readonly SecretShape[] = [
  {
    what: "a private key, to its end or the end of the text",
    pattern:
      /-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----[\s\S]*?(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|$)/g,
  },
  {
    what: "a password in a URL",
    pattern: /\b([a-z][a-z0-9+.-]{0,30}:\/\/[^\s/:@"'<>]{0,256}):([^\s/@"'<>]{1,256})@/gi,
    by: (match, before = "", password = "") =>
      noSecret.test(password) ? match : `${before}:${secretMark}@`,
  },
  {
    what: "a token as the user of a URL",
    pattern: /\b([a-z][a-z0-9+.-]{0,30}:\/\/)(?=[^\s/:@"'<>]{0,256}\d)[^\s/:@"'<>]{20,256}@/gi,
    by: (_, scheme = "") => `${scheme}${secretMark}@`,
  },
  {
    what: "user:password@host without a scheme",
    pattern:
      /(?<![\w/:@.+-])(?!(?:mailto|sip|sips|acct|xmpp|npm|pkg|file|link|workspace|patch|user|from|to|cc|bcc|e-?mail|mail|by|author|contact|owner|account|customer|sender|recipient|member|git|image|docker):)([A-Za-z][\w.+-]{0,63}):(?=[^\s:@/"'<>]{0,100}[\dA-Z!#$%^&*?._-]|[^\s:@/"'<>]{6})([^\s:@/"'<>]{3,100})@(?!sha\d)(?=[A-Za-z\d[(])/g,
    by: (_, user = "") => `${user}:${secretMark}@`,
  },
  {
    what: "a JSON web token, also a NATS one",
    pattern: /\beyJ[\w-]{5,}(?:\.[\w-]*){1,4}/g,
  },
  {
    what: "a key of OpenAI, Anthropic, Stripe and others that write theirs so",
    pattern:
      /(?<![A-Za-z0-9])(?:sk|rk|pk)[-_](?=[\w-]{0,80}(?:\d|[a-z][A-Z]))(?:[a-z0-9]{1,10}[-_]){0,4}[A-Za-z0-9_*-]{8,}/g,
  },
  {
    what: "a key of GitHub, GitLab",
    pattern:
      /(?<![A-Za-z0-9])(?:gh[opusr]_[A-Za-z0-9]{10,}|github_pat_\w{10,}|gl(?:pat|dt|rt|ft|soat|cbt|ptt|agent)-[\w-]{10,})/g,
  },
  {
    what: "a key of Amazon, Google, Microsoft, Alibaba, DigitalOcean",
    pattern:
      /(?<![A-Za-z0-9])(?:(?:AKIA|ASIA|AROA|AIDA|ABIA|ACCA)[A-Z0-9]{12,}|AIza[\w-]{20,}|ya29\.[\w.-]{10,}|GOCSPX-[\w-]{10,}|1\/\/0[\w-]{20,}|LTAI[A-Za-z0-9]{12,}|do[opr]_v1_[a-f0-9]{20,}|[\w~.-]{3}\dQ~[\w~.-]{20,})/g,
  },
  {
    what: "a key or hook of Slack, Discord, Telegram, Twilio, SendGrid, Mailgun",
    pattern:
      /(?<![A-Za-z0-9])(?:xox[a-z](?:\.xox[a-z])?-[\w-]{8,}|xapp-[\w-]{8,}|hooks\.slack\.com\/(?:services|workflows)\/[\w/]{8,}|discord(?:app)?\.com\/api\/webhooks\/\d+\/[\w-]+|[MNO][A-Za-z\d_-]{23,25}\.[\w-]{6}\.[\w-]{27,}|\d{8,10}:AA[\w-]{30,}|(?:AC|SK)[0-9a-f]{32}|SG\.[\w-]{16,}\.[\w-]{16,}|key-[0-9a-f]{32})/g,
  },
  {
    what: "a key of package registries, hosts, models and observers, by its prefix",
    pattern:
      /(?<![A-Za-z0-9])(?:(?:npm|hf|gsk|r8|figd|lin_api|sbp|nfp|sntrys|ntn|pscale_(?:tkn|pw|oauth)|shp(?:at|ca|pa|ss)|whsec|dckr_pat|ghtok|fio-u|rnd|phc|lsv2_(?:pt|sk)|tvly|glsa|secret|fo1|FlyV1)_(?=\w{0,80}\d)\w{16,}|(?:pypi|nvapi|xai|pplx|tvly|PMAK|HRKU|NRAK|dapi|CFPAT|sq0atp|sq0csp|lin|fw|dp\.(?:pt|st|sa|ct))[-.]?(?=[\w-]{0,80}\d)[\w-]{20,}|hv[sbr]\.[\w-]{20,}|AGE-SECRET-KEY-1[A-Z0-9]{20,}|S[UAONCX][A-Z2-7]{54,58}(?![A-Z0-9]))/g,
  },
  {
    what: "what a client shows to be let in",
    pattern:
      /\b([Bb]earer|BEARER|[Bb]asic|BASIC|[Aa]pi-?[Kk]ey|[Nn]egotiate|Credential=)(\s{1,4}|%20)(?=[\w.~+/=-]{0,80}(?:\d|[a-z][A-Z]|[A-Z]{2}[a-z]|[~+/=]|[\w.~+/=-]{28}))([\w.~+/=-]{6,})/g,
    by: (match, scheme = "", between = "", shown = "") =>
      noSecret.test(shown) ? match : `${scheme}${between}${secretMark}`,
  },
  {
    what: "a header that lets in, to the end of its line",
    pattern:
      /(?<![\w])((?:proxy-)?authorization|(?:set-)?cookie|x-(?:api|auth|access|amz-security)-(?:key|token))(["']?\s*[:=]\s*["']?)(?:(bearer|basic|token|digest|bot|apikey) +)?([^\s"',;<][^"'\n,]*)/gi,
    by: (match, name = "", between = "", scheme = "", shown = "") =>
      noSecret.test(shown.trim()) ||
      /^(?:header|is|was|not|must|missing|required|failed)\b/i.test(shown)
        ? match
        : `${name}${between}${scheme === "" ? "" : `${scheme} `}${secretMark}`,
  },
  {
    what: "an assignment in quotes: JSON, Python, YAML, a shell, also escaped once more",
    pattern: new RegExp(
      `(?<![A-Za-z0-9])(${keys})(\\\\{0,3}["']?\\s{0,3}(?::|=>?|:=)\\s{0,3})(\\\\{0,3}["'])((?:[^"'\\\\\\n]|\\\\(?!["'])){1,2000})`,
      "gi",
    ),
    by: (match, key = "", between = "", quote = "", secret = "") =>
      noSecret.test(secret) ? match : `${key}${between}${quote}${secretMark}`,
  },
  {
    what: "an assignment by an equals sign: text, a query, a connection string",
    pattern: new RegExp(
      `(?<![A-Za-z0-9])(${keys}|key)(\\s?=\\s?|%3[Dd])(?![=~>])(${value}{3,2000})`,
      "gi",
    ),
    by: (match, key = "", between = "", secret = "") =>
      noSecret.test(secret) ? match : `${key}${between}${secretMark}`,
  },
  {
    what: "an assignment by a colon, where what follows is no word of a sentence",
    pattern: new RegExp(
      `(?<![A-Za-z0-9])(${keys}|api[ -]key(?: provided)?|access[ -](?:token|key)|secret[ -]key|auth token)(\\s?: ?)(${value}{4,2000})(?=($|[\\n"',;)}\\]])?)`,
      "gi",
    ),
    by: (match, key = "", between = "", secret = "", end?: string) => {
      const bare = secret.replace(/[.:!?]+$/, "");
      const isWord = /^[A-Z]?[a-z']*$/.test(bare) && (end === undefined || bare.length < 6);
      return isWord || noSecret.test(bare) ? match : `${key}${between}${secretMark}`;
    },
  },
  {
    what: "a flag of a command, SQL's way to set a password",
    pattern: new RegExp(
      `(--(?:${strongKey}|key)\\s|\\bidentified by\\s|\\bwith (?:encrypted )?password\\s|\\bpassword\\s(?=['"]))(["']?)(${value}{3,500})`,
      "gi",
    ),
    by: (match, before = "", quote = "", secret = "") =>
      noSecret.test(secret) || secret.startsWith("-") ? match : `${before}${quote}${secretMark}`,
  },
  {
    what: "the number of a payment card",
    pattern: /(?<![A-Za-z0-9.])[2-6](?:[ -]?\d){12,18}(?![A-Za-z0-9]|[.:]\d)/g,
    by: (match) => (isCardNumber(match.replace(/\D/g, "")) ? secretMark : match),
  },
];

/** Of a card network, of its length, and with the right check digit (ISO/IEC 7812-1, Luhn). */
function isCardNumber(digits: string): boolean {
  const network =
    /^(?:4(?:\d{12}|\d{15}|\d{18})|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}|3[47]\d{13}|3(?:0[0-5]|[68]\d)\d{11}|35\d{14}|6(?:011|5\d\d|4[4-9]\d)\d{12}|62\d{14,17})$/;
  if (!network.test(digits)) return false;
  let sum = 0;
  for (let i = 0; i < digits.length; i++) {
    const digit = Number(digits.charAt(digits.length - 1 - i));
    const doubled = i % 2 === 1 ? digit * 2 : digit;
    sum += doubled > 9 ? doubled - 9 : doubled;
  }
  return sum % 10 === 0;
}

/** Fields of an object whose value is a secret whatever it looks like; not `token`, which is also a piece of a text. */
export const secretField =
  /^(?:[\w-]{0,40}[_-])?(?:api[_-]?key|access[_-]?key|secret[_-]?(?:access[_-]?)?key|private[_-]?key|client[_-]?secret|secret|password|passwd|passphrase|access[_-]?token|refresh[_-]?token|id[_-]?token|auth[_-]?token|session[_-]?token|authorization|credentials?)$/i;
