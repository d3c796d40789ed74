import type { Masked } from "./masked.ts";

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

/** Amounts, quoted values, and what figures are left. */
export const figures: readonly Masked[] = [
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
