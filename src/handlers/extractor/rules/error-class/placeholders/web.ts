import { type Masked, topLevel } from "./masked.ts";

/** What pages, directories of names and cards of networks have of their own. */
export const onTheWeb: readonly Masked[] = [
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
];
