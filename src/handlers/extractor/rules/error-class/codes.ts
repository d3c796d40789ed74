/**
 * What *is* the class although it has digits: statuses, numbers of errors, names of signals. Each row finds such a code by
 * what stands around it, and says how it is written from then on (`null`: as it is). Rows are asked in order, each over
 * the whole line; what one has found no later one sees.
 */
export interface Kept {
  readonly what: string;
  readonly pattern: RegExp;
  /** Of the match and its groups; without it, the match itself. */
  readonly as?: (match: string, ...groups: string[]) => string;
}

const reasonPhrases =
  "Bad Request|Unauthorized|Payment Required|Forbidden|Not Found|Method Not Allowed|Not Acceptable|Proxy Authentication Required|Request Time-?out|Conflict|Gone|Length Required|Precondition Failed|Payload Too Large|Request Entity Too Large|URI Too Long|Unsupported Media Type|Range Not Satisfiable|Expectation Failed|Unprocessable (?:Entity|Content)|Locked|Too Many Requests|Request Header Fields Too Large|Unavailable For Legal Reasons|Internal Server Error|Not Implemented|Bad Gateway|Service (?:Temporarily )?Unavailable|Gateway Time-?out|Insufficient Storage|Client Error|Server Error|Overloaded";

const status = "([1-5]\\d\\d)";
const http = (match: string, ...groups: string[]) =>
  `http_${groups.find((group) => /^[1-5]\d\d$/.test(group ?? "")) ?? match}`;

/** Codes that people assign are no codes of errors. */
const notOfErrors =
  "(?<!\\b(?:zip|postal|post|country|area|verification|activation|promo|coupon|discount|offer|campaign|booking|confirmation|source|auth|access|invite|referral|security|pin|qr|bar|product|gift|airport|currency|reservation|voucher|company|plant|customer|vendor|supplier|material|cost|department|branch|store|warehouse|station|location|region|sort|routing|swift|tax|dial(?:l)?ing|language|locale|fare|rate|item|stock|lot|unit|room|door|entry|pass|one-time|sms|mfa|otp|backup|pairing|tracking|ticker)[ _-])";

export const keptCodes: readonly Kept[] = [
  {
    what: "an HTTP status, called one",
    pattern: new RegExp(
      `(?<![\\w])(?:https?(?:/\\d(?:\\.\\d)?)?[ _:-]{0,2}(?:status(?:[ _-]?code)?|error(?:[ _-]code)?|response|code)?|(?:http[ _-]?)?status[ _-]?code|(?:response|error|server)[ _-](?:status|code)|statusCode|status)['"]?[ :=_-]{0,3}(?:is |was |of )?\\(?['"]?${status}\\b(?![.,]\\d|%|\\w)['")]{0,2}`,
      "gi",
    ),
    as: http,
  },
  {
    what: "an HTTP status before its reason phrase",
    pattern: new RegExp(`\\(?(?<![\\w.,#-])${status}\\)?:? (?=(?:${reasonPhrases})\\b)`, "gi"),
    as: (match, code) => `${http(match, code ?? "")} `,
  },
  {
    what: "an HTTP status that a server answered; what stands before it is masked like the rest",
    pattern:
      /(?<![\w.])([45]\d\d)(?<=\b(?:(?:server|api|service|upstream|endpoint|request|gateway|proxy)\b.{0,40}?\b(?:returned|responded(?: with)?|replied(?: with)?|answered(?: with)?|failed(?: with)?|got|received)(?: an?)?(?: status| error)?|(?:returned|responded with|got|received)(?: an?)?(?: http)?(?: status| response| error)?:?) [45]\d\d)(?=$|[\s]*[.:;,)(\]]|\s+(?:from|for|on|error|response)\b)/gi,
    as: (_, code = "") => `http_${code}`,
  },
  {
    what: "a status of a process",
    pattern:
      /\b(?:exit(?:ed)?|exit(?:ed)?[ _-]?(?:code|status|value)|(?:exited|terminated|returned|failed|finished|died|completed)(?: non-?zero)?(?: with)?(?: an?)?(?: exit)? (?:code|status)|exited with|return(?:ed)? code|returncode|rc|retcode)[ :=(]{1,3}(-?\d{1,10})\b\)?/gi,
    as: (_, code) => `exit code ${code}`,
  },
  {
    what: "a signal",
    pattern: /\b(?:signal|sig)[ :=#(]{0,2}\d{1,2}\b|\bSIG[A-Z]{2,8}\d?\b/gi,
  },
  {
    what: "a gRPC status",
    pattern: /\bgrpc[ _-]?(?:status|code|error)?(?:[ _-]code)?[ :=(]{0,3}(\d{1,2})\b/gi,
    as: (_, code) => `grpc code ${code}`,
  },
  {
    what: "SQLSTATE, and the driver's number behind it",
    pattern:
      /\bSQL[ _-]?STATE(?: code)?[ :=(['"]{0,3}(?=\w{0,4}\d)([0-9A-Z]{5})\b['")\]]{0,2}(?::?\s?\[(\d{1,6})\])?/gi,
    as: (_, code, number) => `SQLSTATE ${code}${number ? ` ${number}` : ""}`,
  },
  {
    what: "errno and its like on Windows",
    pattern: /\b(errno|winerror|wsaerror|os error|SQLCODE)[ :=#(]{0,3}(-?\d{1,6})\b/gi,
    as: (_, name = "", number) => `${/^errno$/i.test(name) ? "Errno" : name} ${number}`,
  },
  {
    what: "codes of Oracle, which some write in small letters",
    pattern: /(?<![\w-])(?:ora|tns|pls)-\d{5}\b/g,
    as: (code) => code.toUpperCase(),
  },
  {
    what: "HRESULT, NTSTATUS",
    pattern: /\b0x[8c][0-9a-f]{7}\b/gi,
    as: (code) => code.toLowerCase(),
  },
  {
    what: "codes of databases, compilers and linters, known by their prefixes",
    pattern:
      /(?<![\w-]|\b[Ff]lights? )(?:(?:ORA|TNS|PLS|RMAN|LPX|MY|DSRA|WSVR|IM|RUF|PLR|PLC|PLE|PLW|SIM|UP|ANN|BLE|PT|DL|SC|TS|CS|CA|BC|FS|MSB|NU|NETSDK|LNK|IDE|AADSTS|SQL|ERR|ERROR|CKV|KB|HY|DEP|ESIL|SSL|VUL|GHSA|MSSQL|DB|DPY|DPI|PGRST|XX|WB)[-_]?\d{3,7}[A-Z]?|E\d{4,5}|CVE-\d{4}-\d{3,7})\b/g,
  },
  {
    what: "a letter and four digits, with which a message begins",
    pattern: /^(?:[A-Z]\d{4}(?=: )|[[(][A-Z]\d{4}[\])](?= ))/g,
    as: (match) => match.replace(/[[\]()]/g, ""),
  },
  {
    what: "the sign that a parser misses",
    pattern: /\bexpected ["'`][^\w\s"'`]{1,3}["'`]|(?<!\w)["'`][^\w\s"'`]{1,3}["'`] expected\b/gi,
    as: (match) => match.toLowerCase(),
  },
  {
    what: "codes of linters behind a position",
    pattern: /(?<=:\d{1,6}:?(?:\d{1,6}:)? )[A-Z]{1,4}\d{3,5}\b/g,
  },
  {
    what: "a code right after the word error",
    pattern:
      /\b(?:error|warning|fatal|failure|err|ERROR)[ [(#]{1,2}([A-Z]{1,8}[-_]?\d{2,7})(?=[\]):,\s]|$)/g,
    as: (match) =>
      match
        .replace(/[[\]()#]/g, " ")
        .replace(/ +/g, " ")
        .trimEnd(),
  },
  {
    what: "a number right after the word error",
    pattern:
      /(?<![\w.])((?:server |system |api |database |mysql |socket |curl:? ?|cuda |os |win32 |jsonrpc |json-rpc )?(?:error|err|Fehler(?:code)?|erreur|errore|erro|fout|ошибка|错误(?:代码)?|エラー(?:コード)?))(?: number| no\.?| num| code)?[ :：=#([]{1,3}(-?\d{1,6})(?=$|\s*[):\],.;(。、，]|\s+(?:at|in|from|on|while|for)\b)[)\]]?/gi,
    as: (_, word, number) => `${word} ${number}`,
  },
  {
    what: "a number of curl's",
    pattern: /\bcurl:? \((\d{1,3})\)/g,
    as: (_, number) => `curl ${number}`,
  },
  {
    what: "what is called a code, a status or a reason",
    pattern: new RegExp(
      `${notOfErrors}\\b(?:[Cc]ode|CODE|[Ss]tatus|[Rr]eason|result|retcode|rc)['"]?(?: is| was| of)?[ :=([]{1,3}['"]?(?:([A-Z][A-Z0-9_-]{0,40}|-?\\d{1,6})\\b|([a-z][a-z0-9]*(?:[_.][a-z0-9]+)+)\\b(?=['"]))['")\\]]?`,
      "g",
    ),
    as: (match, upper, lower) =>
      `${(/^[a-z]+/i.exec(match) ?? ["code"])[0].toLowerCase()} ${upper || lower}`,
  },
];

/** Asked after the names that are a cause, some of which have such a word in them. */
export const keptWords: readonly Kept[] = [
  {
    what: "words of the trade that have digits",
    pattern:
      /(?<![\w/\\.-])(?:u?int(?:8|16|32|64|128)|float(?:16|32|64)|complex(?:64|128)|utf-?(?:8|16|32)(?:mb[34])?|sha-?(?:1|256|384|512)|md5|base(?:32|64)|ipv[46]|x\.?509|tls ?v?1(?:\.[0-3])?|ssl ?v[23]|http\/[123](?:\.[01])?|http[23]|oauth ?2(?:\.0)?|x86(?:_64|-64)?|amd64|arm64|aarch64|x64|h26[45]|mp[34]|s3|ec2|k8s|i18n|l10n|e2e|sqlite3|psycopg[23]|boto3|python[23]|h5py|urllib3|log4j2?|iso-?8859(?:-\d{1,2})?|latin-?1|cp125\d|(?:gpt|claude|gemini|gemma|llama|mistral|mixtral|deepseek|qwen|command|text-embedding|o[134])-[a-z0-9][\w.-]{0,50}\w)(?![\w/\\-]|\.\w|:\/\/)/gi,
    as: (word) => word.toLowerCase(),
  },
];
