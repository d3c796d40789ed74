/** What varies from one occurrence to the next. Rows are asked in order, each over the whole line. */
export interface Masked {
  readonly what: string;
  readonly pattern: RegExp;
  readonly by: string | ((match: string, ...groups: string[]) => string);
  /** Without it in the line nothing can match: found faster than that nothing does. */
  readonly needs?: string;
}

const month = "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]{0,6}";
const weekday = "(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]{0,6}";
const clock =
  "(?:\\d{1,2}:\\d{2}(?::\\d{2}(?:[.,]\\d{1,9})?)?(?: ?[AaPp]\\.?[Mm]\\.?)?|\\d{1,2} ?[AaPp]\\.?[Mm]\\b)";
const zone = "(?: ?(?:Z|UTC|GMT|CES?T|[ECMP][SD]T)\\b| ?[+-]\\d{2}:?\\d{2}\\b)?";

/** Units of time, of data and of money. */
const timeUnit =
  "(?:ms|msecs?|milliseconds?|millis|us|µs|μs|microseconds?|ns|nanoseconds?|s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?|w|weeks?|months?|years?)";
const dataUnit = "(?:[KMGTPkmgtp]i?[Bb]|[Bb]ytes?|bits?|B|[KMG]i)";
const currency =
  "(?:USD[CT]?|EUR|GBP|JPY|CHF|INR|CNY|RMB|AUD|CAD|NZD|SGD|HKD|SEK|NOK|DKK|PLN|CZK|HUF|RON|TRY|ILS|AED|SAR|ZAR|MXN|BRL|ARS|KRW|TWD|THB|BTC|ETH|dollars?|euros?|cents?|pounds?|zł|Kč|Ft|kr|руб|[円元원])";
const currencySign = "(?:[A-Z]{0,2}\\$|[€£¥₹₩₽₺₴₪₫₱฿])";
const figure = "\\d+(?:[.,'\u2019\u00a0\u202f]\\d+)*(?:e[+-]?\\d+)?";
/** As many write thousands: `1 250,00`. */
const spacedFigure = `(?:\\d{1,3}(?: \\d{3})+(?:[.,]\\d{1,2})?|${figure})`;

const extension =
  "(?:py|pyc|pyi|ipynb|js|mjs|cjs|jsx|ts|mts|tsx|json|jsonl|ya?ml|toml|ini|cfg|conf|env|lock|txt|md|rst|csv|tsv|parquet|xlsx?|docx?|pdf|png|jpe?g|gif|tiff?|bmp|heic|mov|svg|webp|html?|css|scss|xml|sql|sqlite3?|db|sh|bash|ps1|bat|exe|dll|so|dylib|c|cc|cpp|cxx|h|hpp|rs|go|java|kt|kts|class|jar|war|rb|php|pl|swift|scala|ex|exs|erl|hs|lua|r|m|vue|svelte|proto|graphql|zig|dart|groovy|gradle|jl|fs|sass|less|avro|orc|tf|tfvars|log|out|err|tmp|bak|zip|tar|gz|tgz|bz2|xz|7z|whl|pem|key|crt|cer|p12|pid|sock|lockb|patch|diff|pickle|pkl|npy|npz|pt|onnx|bin|dat|mp[34]|wav|wasm|map|PDF|PNG|JPE?G|TIFF?|HEIC|MOV|MP4|CSV|TXT|ZIP|XLSX?|DOCX?)";

/** Behind a file: line and column, in each compiler's way. */
const position = "(?::\\d+(?::\\d+)?(?:-\\d+)?|\\(\\d+(?:,\\d+)?\\)|, line \\d+)?";

const topLevel =
  "(?:com|org|net|edu|gov|mil|int|io|dev|co|app|ai|cloud|info|biz|me|tv|xyz|tech|site|online|sh|to|de|uk|eu|us|fr|nl|ch|at|it|es|se|no|fi|dk|be|pl|cz|ru|ua|jp|cn|kr|in|br|au|ca|nz|za|sg|hk|tw|il|internal|intranet|local|localdomain|localhost|lan|home|corp|svc|cluster|consul|example|test|invalid|arpa|onion)";

/** Things that bear what their owner calls a number, though it may be letters alone. */
const givenOut =
  "(?:[Rr]ecord|[Rr]eservation|[Rr]eserva|[Rr]éservation|[Bb]uchung|[Pp]renotazione|[Bb]ooking|[Ii]tinerary|[Cc]onfirmation|[Vv]oucher|[Cc]oupon|[Pp]romo(?:tion)?|[Tt]racking|[Ss]hipment|[Pp]arcel|[Ss]erial|[Bb]arcode|[Tt]icker|[Pp]assport|[Ll]icen[cs]e plate|PNR|SKU|[Ss]ku|ASIN|ISBN|VIN|UPC|EAN|IBAN|BIC)";
const wordsInCapitals =
  "(?:NOT|FOUND|INVALID|EXPIRED|MISSING|FAILED|ERROR|DENIED|LOCKED|ALREADY|EXISTS|CANCELL?ED|REQUIRED|NUMBER|CLOSED|REJECTED|STATUS|REQUEST)";

/** A mix of letters and digits as no word has it. */
const mixed = "(?=[A-Za-z0-9]*\\d)(?=[A-Za-z0-9]*[A-Za-z])[A-Za-z0-9]";

export const masked: readonly Masked[] = [
  {
    what: "a URL",
    needs: "://",
    pattern: /\b[a-z][a-z0-9+.-]{1,20}:\/\/[^\s"'`<>\])},;]+/gi,
    by: "<url>",
  },
  {
    what: "a name in a directory, the subject of a certificate",
    needs: "=",
    pattern:
      /(?<![\w.])(?:CN|UID|OU|DC|O|L|ST|C|SN|DN)=[^,="'<>\n]{1,80}(?:, ?(?:CN|UID|OU|DC|O|L|ST|C|SN|DN|emailAddress)=[^,="'<>()\s]{1,80}(?: (?=[^,=]{1,60}, ?[A-Z]{1,2}=)[^,=]{1,60})?){1,20}/gi,
    by: "<id>",
  },
  {
    what: "a URL without a scheme",
    pattern: /\bwww\.[^\s"'`<>\])},;]+/gi,
    by: (match) => (match.includes("/") ? "<url>" : "<host>"),
  },
  {
    what: "an element of a page",
    needs: "</",
    pattern: /<([a-z][a-z0-9-]{0,30})(?: [^<>]{0,300})?>[^<]{0,200}<\/\1>/g,
    by: "<s>",
  },
  {
    what: "what has no file",
    needs: "<",
    pattern: /<(?:stdin|string|input|anonymous|eval)>(?::\d+){0,2}/g,
    by: "<path>",
  },
  {
    what: "hosts by a pattern",
    needs: "*.",
    pattern: new RegExp(
      `(?<![\\w*])\\*\\.(?:[a-z0-9-]{1,63}\\.){0,9}${topLevel}(?![\\w.-]*\\w)`,
      "gi",
    ),
    by: "<host>",
  },
  {
    what: "an address without a scheme: a host, then a path",
    needs: "/",
    pattern: new RegExp(
      `(?<![\\w.<>@:/-])(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\\.){1,10}${topLevel}(?::\\d{1,5})?/[\\w./@%~+:=-]*[\\w/]`,
      "gi",
    ),
    by: "<url>",
  },
  {
    what: "an e-mail address",
    needs: "@",
    pattern: /(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,64}(?:\.[\w-]{1,64})+/g,
    by: "<id>",
  },
  {
    what: "an address of a Bluetooth or network card",
    pattern: /(?<![\w:])(?:[0-9a-f]{2}[:-]){5}[0-9a-f]{2}(?![\w:])/gi,
    by: "<host>",
  },
  {
    what: "an expression that finds an element of a page",
    needs: "//",
    pattern: /(?<![:\w])\/\/[\w*][\w*@.:-]*(?:\[[^\]\n]{0,100}\]|\/{1,2}[\w*@.:()-]+)*/g,
    by: "<path>",
  },
  {
    what: "a device on a bus",
    needs: ":",
    pattern: /\b[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.\d\b/gi,
    by: "<id>",
  },
  {
    what: "a position, which could be read as a time",
    needs: ":",
    pattern:
      /(?<![\w:.])\d+:\d+(?![\w:])(?:(?<=\(\d+:\d+)(?=\))|(?<=(?:\b(?:line|col(?:umn)?|pos(?:ition)?|char|offset) |\.\w{1,5} |\b(?:token|character|symbol|input|syntax|parse)\b.{0,60} at )\d+:\d+))/g,
    by: "<n>",
  },
  {
    what: "a person, after a word for people or for what people do",
    pattern:
      /(?<![\p{L}\d])((?:[Aa]gent|[Uu]ser|[Cc]ustomer|[Pp]assenger|[Gg]uest|[Pp]atient|[Ee]mployee|[Dd]river|[Tt]ravell?er|[Oo]perator|[Cc]olleague|[Mm]anager|[Oo]wner|[Cc]ontact|[Mm]r\.?|[Mm]rs\.?|[Mm]s\.?|[Dd]r\.?) |(?:locked|assigned|owned|edited|reserved|held|booked|opened|created|checked out) (?:by|to) )(?!(?:Accounts?|Services?|Profile|Data|Not?|NOT|ID|Id|DOES|Does|Is|IS|WAS|HAS|Has|With|Error|Session|Token|Name|Groups?|Pool|Agent|Interface|Defined|Management|Support|Portal|Permission|Role|Access|Mode|Input|API|Already)(?!\p{L}))\p{Lu}[\p{L}'-]{1,30}(?: (?:van|von|de|da|del|la|bin|al))?(?: \p{Lu}[\p{L}'-]{1,30}){1,3}(?!\p{L})/gu,
    by: (_, head = "") => `${head}<s>`,
  },
  {
    what: "a user by name",
    pattern:
      /(\bby user |\b[Uu]ser (?=[a-z][\w.-]* (?:not found|does|is|has|was|already|cannot|can't|could|may|must)\b))(?!(?:who|that|and|or|not|is|was|has|does|already|cannot|could|may|must|account|session|data|profile|role|token|group|email|query|message|prompt|password|credentials|location|permission|limit|quota|pool|name|list|key|request|action|input|agent|policy|code|error|interaction|intervention|id|interrupt|settings?|preferences?|script|function|defined|exit|abort)\b)[A-Za-z][\w-]*(?=$|[.,;:)]| (?:at|on|in|after|for|from|not|does|is|has|was|already|cannot|can't|could|may|must)\b)/g,
    by: (_, head = "") => `${head}<s>`,
  },
  {
    what: "a flight",
    pattern: /(\b[Ff]lights? )(?=[A-Z]*\d?[A-Z])[A-Z\d]{2} ?\d{1,4}[A-Z]?(?!\w)/g,
    by: (_, head = "") => `${head}<id>`,
  },
  {
    what: "from one airport to another",
    pattern: /(\b[Ff]rom )[A-Z]{3}( to )[A-Z]{3}(?!\w)/g,
    by: (_, from = "", to = "") => `${from}<s>${to}<s>`,
  },
  {
    what: "a seat, a size of clothes, a cell of a sheet",
    pattern:
      /(\b[Ss]eats?(?: number| no\.?)? )\d{1,3}[A-K](?:(?:, ?| and |\/)\d{1,3}[A-K])*(?!\w)|(\b[Ss]ize )(?:X{0,3}[SL]|M)(?!\w)|(\b[Cc]ell |!)[A-Z]{1,3}\d{1,7}(?::[A-Z]{1,3}\d{1,7})?(?!\w)/g,
    by: (_, seat = "", size = "", cell = "") => `${seat || size || cell}<n>`,
  },
  {
    what: "what is given out in capitals and digits",
    pattern: new RegExp(
      `(\\b(?:${givenOut})(?:[ _-]?(?:ref(?:erence)?|number|no\\.?|code|id|locator|key|plate))?[ :=#]{1,3}["'\`]?)(?:(?=[A-Z-]*\\d)[A-Z\\d][A-Z\\d-]{2,30}|(?!${wordsInCapitals}\\b)(?:[A-Z]{5,8}|[A-Z]+(?:-[A-Z]+)+))(?![\\w-])["'\`]?`,
      "g",
    ),
    by: (_, head = "") => `${head.replace(/["'`]$/, "")}<id>`,
  },
  {
    what: "a telephone number by its area",
    needs: "(",
    pattern: /\(\d{3}\) ?\d{3}[-. ]\d{4}(?!\w)/g,
    by: "<n>",
  },
  {
    what: "an IPv6 address in brackets, of which a part could be read as a time",
    needs: "]",
    pattern:
      /\[(?=[^\]]*::|[^\]]*[a-f])(?=[0-9a-f]*:[0-9a-f]*:)[0-9a-f:.]+(?:%\w+)?\](?::\d{1,5})?/gi,
    by: "<host>",
  },
  {
    what: "a date with or without a time",
    pattern: new RegExp(
      `(?<![\\w./]|\\.\\w{1,5}:)(?:\\d{4}[-/.]\\d{1,2}[-/.]\\d{1,2}(?:[T ,]{1,2}${clock}${zone})?|\\d{8}T\\d{4,6}(?:\\.\\d+)?Z?|\\d{4}-(?:W\\d{2}(?:-\\d)?|\\d{3})|(?:\\d{1,2}/\\d{1,2}/(?:\\d{4}|\\d{2})|\\d{1,2}\\.\\d{1,2}\\.(?:19|20)\\d{2})(?:[ ,]{1,2}${clock}${zone})?|(?:${weekday},? )?\\d{1,2}[ /-]${month}[ /-]\\d{2,4}(?:[: ]${clock}${zone})?|(?:${weekday},? )?${month} {1,2}\\d{1,2}(?:,? \\d{4})?(?:,? (?:at )?${clock}${zone})?(?: \\d{4})?|(?:0?[1-9]|[12]\\d|3[01])(?:JAN|FEB|MAR|APR|MAY|JUN|JUL|AUG|SEP|OCT|NOV|DEC)(?:\\d{2}){0,2}|${clock}${zone})(?![\\w]|\\.\\d)`,
      "g",
    ),
    by: "<time>",
  },
  {
    what: "a path of Windows, a share",
    pattern: new RegExp(
      `(?:\\b[A-Za-z]:[\\\\/](?![/])|\\\\\\\\(?=[\\w.-]))(?:[^\\\\/:*?"'<>|\\n]{1,120}[\\\\/]+)*(?:(?!\\(\\d|\\](?:\\W|$))[^\\\\/:*?"'<>|\\s,;)])*${position}`,
      "g",
    ),
    by: "<path>",
  },
  {
    what: "a pattern of files",
    needs: "*",
    pattern: /(?<![\w*<>/.-])(?:[\w.@-]+\/){0,30}\*{1,2}(?:[./][\w.*{},-]*[\w*}])+/g,
    by: "<path>",
  },
  {
    what: "a path from the root, from home, or from here",
    needs: "/",
    pattern: new RegExp(
      `(?<![\\w.<>/:@%+=~-])(?:(?:~[\\w-]*|\\.{1,2}|\\$\\w+|\\$\\{\\w+\\})?\\/(?:[\\w.@%+=~$#-]+\\/{1,2})*[\\w.@%+=~$#*-]*[\\w@%+=~$#*/-])(?:\\?[\\w.~%&=+:@!$-]+)?${position}`,
      "g",
    ),
    by: "<path>",
  },
  {
    what: "a path from here that ends in a file, or is deep",
    needs: "/",
    pattern: new RegExp(
      `(?<![\\w.<>/:@-])(?:(?:[\\w@.+=-]+\\/){1,30}[\\w@.+=-]+\\.${extension}\\b|\\.[\\w-]+\\/[\\w@.+=-]*\\w|(?:[\\w@.+=-]+\\/){2,30}[\\w@.+=-]*\\w|(?:[\\w@.+=-]+\\/){1,30}(?![\\w<]))${position}(?:::[\\w[\\].:-]+)?`,
      "g",
    ),
    by: "<path>",
  },
  {
    what: "a file",
    needs: ".",
    pattern: new RegExp(
      `(?<![\\w.<>/:@-])[\\w@+=-][\\w@+=.-]{0,120}\\.${extension}(?![\\w.-]|\\((?!\\d+(?:,\\d+)?\\)))${position}`,
      "g",
    ),
    by: "<path>",
  },
  {
    what: "an IPv6 address, with a port or without",
    needs: ":",
    pattern:
      /\[(?=[0-9a-f:.%\w]*:[0-9a-f:.%\w]*:)[0-9a-f:.]+(?:%\w+)?\](?::\d{1,5})?|(?<![\w:.<>])(?=(?:[0-9a-f]{0,4}:){2,8})(?=[0-9a-f:.]*\d)(?:[0-9a-f]{1,4}(?=:))?(?::{1,2}[0-9a-f]{1,4}){1,7}(?::{1,2})?(?:\d{0,3}(?:\.\d{1,3}){3})?(?:%\w+)?(?::\d{1,5})?(?:\/\d{1,3})?(?![\w:])/gi,
    by: "<host>",
  },
  {
    what: "an IPv4 address, with a port or without",
    needs: ".",
    pattern: /(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?::\d{1,5})?(?:\/\d{1,2})?(?![\w.]*\w)/g,
    by: "<host>",
  },
  {
    what: "a host by its domain",
    needs: ".",
    pattern: new RegExp(
      `(?<![\\w.<>@/-])(?:[a-z0-9_](?:[\\w-]{0,61}[a-z0-9])?\\.){1,10}${topLevel}(?::\\d{1,5})?(?![\\w(-]|\\.\\w)`,
      "gi",
    ),
    by: "<host>",
  },
  {
    what: "every address of this machine, with a port",
    needs: ":",
    pattern: /(?<![\w:.])(?:::|\[::\]|\*):\d{1,5}(?![\w:])/g,
    by: "<host>",
  },
  { what: "this machine", pattern: /\blocalhost(?::\d{1,5})?(?!\w|\.\w)/gi, by: "<host>" },
  {
    what: "a host after what is said of hosts alone",
    pattern:
      /(\b(?:ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|EHOSTUNREACH|ETIMEDOUT|could not resolve(?: host(?:name)?)?:?|failed to resolve|could not translate host name|unknown host|no such host:?|lookup|hostname|host|UnknownHostException:|node name) ["'`]?)(?!(?:is|was|not|name|nor|for|and|or|to|not|unreachable|in|on|at|key|found|does|down|has|header|failed|error|table|field|timed|the|a|an|id)\b)([\w][\w.-]*(?::\d{1,5})?)(["'`]?)/gi,
    by: (_, head = "") => `${head.replace(/["'`]$/, "")}<host>`,
  },
  {
    what: "a host with a port, where something connects to it",
    needs: ":",
    pattern:
      /(\b(?:connect(?:ing|ed|ion)?|dial(?:ing)?(?: tcp)?|reach(?:ing)?|server|broker|node|endpoint|peer)(?: (?:to|at|from|with|by))? (?:server )?(?:at )?["'`]?)([a-z][\w.-]*:\d{2,5})(["'`]?)/gi,
    by: (_, head = "") => `${head.replace(/["'`]$/, "")}<host>`,
  },
  {
    what: "a host with a digit or a dash in its name, and a port",
    needs: ":",
    pattern:
      /(?<![\w./:@<-])(?![a-z-]*\bid:)(?:[a-z]+\d[\w-]*|[a-z]+-[a-z0-9-]+)(?:\.[a-z][\w-]*){0,5}:\d{4,5}(?![\w.:]*\w)/g,
    by: "<host>",
  },
  {
    what: "a UUID",
    needs: "-",
    pattern: /(?<![0-9a-z])[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{8,12}(?![0-9a-z])/gi,
    by: "<id>",
  },
  {
    what: "a resource's name in a cloud",
    pattern:
      /\barn:aws[\w-]*:[\w:/.*@=+,-]+|(?<![\w/.])(?:projects|subscriptions|resourceGroups)\/[\w./-]+/g,
    by: "<id>",
  },
  {
    what: "an object of Kubernetes by its kind",
    needs: "/",
    pattern:
      /(?<![\w/.-])((?:pod|deployment|replicaset|statefulset|daemonset|job|cronjob|service|node|configmap|secret|ingress|namespace|pvc)s?(?:\.[a-z0-9.]{1,40})?)\/[\w.-]*\w/gi,
    by: (_, kind = "") => `${kind}/<id>`,
  },
  {
    what: "a pod that a deployment, a job or a set made",
    needs: "-",
    pattern:
      /(?<![\w-])[a-z0-9](?:[a-z0-9-]{0,60})-(?:[a-z0-9]{8,10}-[bcdfghjklmnpqrstvwxz2456789]{5}|\d{6,10}(?:-[a-z0-9]{5})?)(?![\w-])/g,
    by: "<id>",
  },
  {
    what: "what is called a pod, a container or a node",
    pattern:
      /(\b(?:pods?|containers?|replica ?set|deployment|stateful ?set|instances?|nodes?|machine|worker|volume|droplet|namespace|sandbox)(?: (?:name|id))?(?:[ :=/]{1,2}|\s?#)["'`]?)(?:(?<=["'`])[^"'`\s]{1,100}["'`]|(?<!["'`])(?!\d+(?![\w./-]))(?=[\w./-]*\d)[\w][\w./-]*[\w])/gi,
    by: (_, head = "") => `${head.replace(/["'`]$/, "")}<id>`,
  },
  {
    what: "a key of a service",
    pattern:
      /\b(?:sk|pk|rk|ghp|gho|ghs|ghu|glpat|xox[abposr]|AKIA|AIza|hf|npm|pypi|eyJ)[-_]?[A-Za-z0-9_.*-]{8,}/g,
    by: "<id>",
  },
  {
    what: "an identifier with the prefix of its kind",
    pattern: new RegExp(
      `(?<![\\w.-])[A-Za-z]{1,16}(?:[-_][a-z]{1,16}){0,3}[-_](?:(?=[A-Za-z0-9]*\\d)(?=[A-Za-z0-9]*[a-z])(?=[A-Za-z0-9]*[A-Z])[A-Za-z0-9]{3,}|${mixed}{8,}|(?=[A-Za-z]*\\d+[A-Za-z])[A-Za-z0-9]{5,}|(?=[0-9a-f]*\\d)[0-9a-f]{6,}|\\d{4,})(?:[-_][A-Za-z0-9]+)*(?![\\w])`,
      "g",
    ),
    by: "<id>",
  },
  {
    what: "a short identifier with the prefix of its kind, in capitals and digits",
    needs: "_",
    pattern: /(?<![\w.-])[a-z]{1,12}_(?=[A-Z]*\d)(?=\d*[A-Z])[0-9A-Z]{4,}(?!\w)/g,
    by: "<id>",
  },
  {
    what: "an identifier in brackets",
    needs: "[",
    pattern: /\[(?=[a-zA-Z]*\d)(?=\w*[A-Z])(?=\w*[a-z])[A-Za-z0-9_-]{4,40}\]/g,
    by: "[<id>]",
  },
  {
    what: "a key that is not there",
    pattern:
      /(\bundefined (?:index|array key|offset):? |\bkey not found: |\bKeyError: )(?:"[^"\n]*"|'[^'\n]*'|\([^()\n]*\)|:?[\w.-]+(?=$| in\b)|-?\d+)/gi,
    by: (_, head = "") => `${head}<s>`,
  },
  {
    what: "the number of a thing of which there are many",
    pattern:
      /(\b(?:task|job|run|thread|session|request|message|event|build|ticket|case|item|conversation|customer|account)[ :=#]{1,2})(?!\d+(?:st|nd|rd|th|x)\b)(?=[a-z-]*\d[\w-]*[a-z]|[a-z-]*[a-z][\w-]*\d)[a-z0-9][\w-]*(?![\w.])/g,
    by: (_, head = "") => `${head}<id>`,
  },
  {
    what: "a bucket by its name",
    pattern: /(\b[Bb]ucket:? ?[( ]["'`]?)(?=[a-z0-9.]*[-.\d])[a-z0-9][a-z0-9.-]{1,62}(?![\w])/g,
    by: (_, head = "") => `${head}<id>`,
  },
  {
    what: "a number that is called an id",
    pattern: /((?<=[a-z][ _-])ids?[ :=#]{1,3})\d+(?![\w.-])/gi,
    by: (_, head = "") => `${head}<id>`,
  },
  {
    what: "a branch",
    pattern: /(\bbranch )(?=[\w.-]*[/_])[\w./-]*\w|refs\/heads\/[\w./-]*\w/g,
    by: (_, head = "branch ") => `${head}<s>`,
  },
  {
    what: "a shape",
    needs: "(",
    pattern: /\(\d+(?:(?:, ?\d+)+,?|,)\)/g,
    by: "(<n>)",
  },
  {
    what: "what is called an id",
    pattern:
      /(\b(?:(?:request|trace|span|session|correlation|transaction|event|message|run|user|account|order|job|task|customer|invocation|operation|conversation|thread|tenant|organi[sz]ation|org|project|batch|file|call|response|cf-ray|x-[\w-]{1,30})[-_ ]?id|ref(?:erence)?(?: number| id| code)?|ray id|RequestId|Host ?Id|AWSAccessKeyId|uid|guid|uuid|nonce|etag|checksum|digest|fingerprint|commit|revision|sha|image|conn|sid|rid|tid|in organization)(?:[ :=#(]{1,3}|["']\s*:\s*)["'`]?)(?!(?:is|was|not|for|of|and|or|in|with|has|hash|at|on|must|does|already|could|cannot|to|the|name|mismatch|missing|required|invalid|format|pull|file|not)\b)([A-Za-z0-9][\w+/=:.@-]*[\w=]|\w)(["'`]?)/gi,
    by: (match, head = "", id = "", quote = "") =>
      quote === "" && /\d|[A-Z].*[A-Z]|[-_]/.test(id) ? `${head.replace(/["'`]$/, "")}<id>` : match,
  },
  {
    what: "a ULID, a KSUID or another long mix of letters and digits",
    pattern: new RegExp(
      `(?<![\\w])(?:(?=[0-9A-Z]*\\d)[0-7][0-9A-HJKMNP-TV-Z]{25}|${mixed}{20,})(?![\\w])`,
      "gi",
    ),
    by: "<id>",
  },
  {
    what: "a mix with dashes in it, as alphabets that are safe in URLs give",
    pattern:
      /(?<![\w.-])(?=[A-Za-z0-9]*[_-])(?=(?:[A-Za-z_-]*\d+[_-]*[A-Za-z]){2})(?=[\w-]*[a-z])(?=[\w-]*[A-Z])[\w-]{16,40}(?![\w-])/g,
    by: "<id>",
  },
  {
    what: "an address of memory, an object of git, which may have digits alone",
    pattern:
      /(\bsegfault at |\b(?:bad|missing|corrupt|loose|unknown) object |\b(?:blob|tree|commit|parent|revision) (?=\w{7}))(?:0x)?[0-9a-f]+(?![\w.])/gi,
    by: (_, head = "") => `${head}<id>`,
  },
  {
    what: "a hash of which the middle is left out",
    pattern: /(?<![0-9a-z])(?:0x)?[0-9a-f]{4,}(?:…|\.{2,3})[0-9a-f]*(?![0-9a-z])/gi,
    by: "<id>",
  },
  { what: "an address of memory", needs: "0x", pattern: /\b0x[0-9a-f]+\b/gi, by: "<id>" },
  {
    what: "a hash",
    pattern: /(?<![0-9a-z])(?:(?=[0-9]*[a-f])(?=[a-f]*[0-9])[0-9a-f]{6,}|[a-f]{16,})(?![0-9a-z])/gi,
    by: "<id>",
  },
  {
    what: "a short hash in brackets",
    needs: "(",
    pattern: /\((?=[0-9]*[a-f])(?=[a-f]*[0-9])[0-9a-f]{4,6}\)/g,
    by: "(<id>)",
  },
  {
    what: "a name that has its id behind it",
    needs: "(<id>)",
    pattern: /(?<![\w<])[\w.-]*\w \(<id>\)/g,
    by: "<id>",
  },
  {
    what: "an amount of money",
    pattern: new RegExp(
      `(?:${currencySign} ?-?${spacedFigure}(?: ?${currency}(?!\\w))?|\\b${currency} ?${spacedFigure}|(?<![\\w.])${spacedFigure} ?(?:${currencySign}|${currency}(?![\\wÀ-ɏ])))`,
      "g",
    ),
    by: "<amount>",
  },
  {
    what: "a duration",
    pattern: new RegExp(
      `(?<![\\w.])${figure} ?${timeUnit}(?![\\w])(?:[ ,]{0,2}(?:and )?${figure} ?${timeUnit}(?![\\w]))*|(?<![\\w.])(?:${figure}(?:h|ms|m|s|d|us|µs)){2,}(?![\\w])|(?<!\\w)PT?(?:\\d+[YMWDHS.]){1,6}(?!\\w)`,
      "g",
    ),
    by: "<duration>",
  },
  {
    what: "a size",
    pattern: new RegExp(`(?<![\\w.])${figure}(?:\\.? ?${dataUnit}|[KMGT])(?![\\w])`, "g"),
    by: "<size>",
  },
  {
    what: "from where to where",
    needs: "->",
    pattern: /(?<![^ ])[\w./@-]{1,100} -> [\w./@-]{1,100}(?![^ ])/g,
    by: "<s> -> <s>",
  },
  {
    what: "a quoted value",
    pattern: /(?<![\w])(?:(?:W\/)?"[^"\n]*"|'[^'\n]*'|`[^`\n]*`|`[^`'\n]*')(?![\w])/g,
    by: "<s>",
  },
  {
    what: "a key and a value as databases print them",
    needs: ")=(",
    pattern: /\)=\([^)]*\)/g,
    by: ")=(<s>)",
  },
  {
    what: "a character that a parser did not expect",
    pattern: /(\bunexpected (?:token|character|symbol|string) )(?:[^\s\w<'"]{1,3}|<)(?= |$)/gi,
    by: (_, head = "") => `${head}<s>`,
  },
  { what: "a telephone number", needs: "+", pattern: /\+\d[\d ()-]{6,20}\d(?!\w)/g, by: "<n>" },
  { what: "a seat, a row and its letter", pattern: /(?<![\w.<-])\d{1,3}[A-K](?!\w)/g, by: "<n>" },
  {
    what: "a process by its number and name",
    pattern: /(\b(?:process|pid)(?: id)?[ :=#]{1,2})\d+ \([\w./-]{1,60}\)/gi,
    by: (_, head = "") => `${head}<n>`,
  },
  {
    what: "a mix of digits and small letters",
    pattern:
      /(?<![\w.<:-])(?:(?=\d+[a-z][a-z-]*\d)(?!\d+(?:x\d+|e-?\d+)(?![\w-]))[0-9a-z]+(?:-[0-9a-z]+)*|(?=[a-z]+\d+[a-z]+\d)[a-z0-9]{6,})(?![\w])/g,
    by: "<id>",
  },
  {
    what: "a short mix of letters and digits",
    pattern:
      /(?<![\w<-])#?(?:[A-Z]{1,2}\d[A-Z\d]? \d[A-Z]{2}|[A-Z]{1,6}-?\d{2,}[A-Z]?|[A-Z]{1,3}\d[A-Z0-9]{2,}|\d{1,3}[A-Z]{1,3}\d[A-Z0-9]{1,8}|(?=[A-Z]*\d+[A-Z]+\d|\d+[A-Z]+\d|[A-Z]+\d+[A-Z])[A-Z0-9]{5,}|(?=[A-Za-z0-9]*[a-z])(?=[A-Za-z0-9]*[A-Z])(?=[A-Za-z0-9]*\d)[A-Za-z0-9]{6,})(?![\w])/g,
    by: "<id>",
  },
  {
    what: "a name with a number that is long, or behind a dash",
    pattern:
      /(?<![\w.<-])[A-Za-z][A-Za-z]*(?:(?:[_-][A-Za-z]+)*(?:[_-]\d+|\d{3,}))(?:[_-][A-Za-z0-9]+)*(?![\w])/g,
    by: "<id>",
  },
  {
    what: "a figure",
    pattern: new RegExp(
      `(?<![\\w)\\]])[+-]?#?${figure}(?:(?:st|nd|rd|th)\\b|-(?:rc|alpha|beta|pre|preview|dev|next|canary|nightly|snapshot)(?:[.-]?\\d+)*\\b)?(?:-\\d+(?![\\w]))?|\\d+(?:[.,]\\d+)*`,
      "g",
    ),
    by: "<n>",
  },
];
