import type { Masked } from "./masked.ts";

/** A mix of letters and digits as no word has it. */
const mixed = "(?=[A-Za-z0-9]*\\d)(?=[A-Za-z0-9]*[A-Za-z])[A-Za-z0-9]";

/** Identifiers of every shape, and names that stand for one of many. */
export const ids: readonly Masked[] = [
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
];
