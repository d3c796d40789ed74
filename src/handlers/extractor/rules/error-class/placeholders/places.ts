import { type Masked, topLevel } from "./masked.ts";

const month = "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]{0,6}";

const weekday = "(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]{0,6}";

const clock =
  "(?:\\d{1,2}:\\d{2}(?::\\d{2}(?:[.,]\\d{1,9})?)?(?: ?[AaPp]\\.?[Mm]\\.?)?|\\d{1,2} ?[AaPp]\\.?[Mm]\\b)";

const zone = "(?: ?(?:Z|UTC|GMT|CES?T|[ECMP][SD]T)\\b| ?[+-]\\d{2}:?\\d{2}\\b)?";

const extension =
  "(?:py|pyc|pyi|ipynb|js|mjs|cjs|jsx|ts|mts|tsx|json|jsonl|ya?ml|toml|ini|cfg|conf|env|lock|txt|md|rst|csv|tsv|parquet|xlsx?|docx?|pdf|png|jpe?g|gif|tiff?|bmp|heic|mov|svg|webp|html?|css|scss|xml|sql|sqlite3?|db|sh|bash|ps1|bat|exe|dll|so|dylib|c|cc|cpp|cxx|h|hpp|rs|go|java|kt|kts|class|jar|war|rb|php|pl|swift|scala|ex|exs|erl|hs|lua|r|m|vue|svelte|proto|graphql|zig|dart|groovy|gradle|jl|fs|sass|less|avro|orc|tf|tfvars|log|out|err|tmp|bak|zip|tar|gz|tgz|bz2|xz|7z|whl|pem|key|crt|cer|p12|pid|sock|lockb|patch|diff|pickle|pkl|npy|npz|pt|onnx|bin|dat|mp[34]|wav|wasm|map|PDF|PNG|JPE?G|TIFF?|HEIC|MOV|MP4|CSV|TXT|ZIP|XLSX?|DOCX?)";

/** Behind a file: line and column, in each compiler's way. */
const position = "(?::\\d+(?::\\d+)?(?:-\\d+)?|\\(\\d+(?:,\\d+)?\\)|, line \\d+)?";

/** When and where: dates, paths, files, addresses, hosts. */
export const places: readonly Masked[] = [
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
];
