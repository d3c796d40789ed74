/**
 * Names that are the cause: the module that is missing, the table, the command, the attribute, the flag. They stay as they
 * are, quoted or not, and whatever digits they have.
 */
const name = "(-{0,2}[A-Za-z_@$][\\w@$+:-]{0,100}(?:[./][\\w@$+:-]{1,100}){0,12})";
const quote = "[\"'`]{0,2}";

/** A row keeps the name between its first and its third group. */
export interface KeptName {
  readonly what: string;
  /** Without it in the line nothing can match: looked for first, as a name that could be before it is everywhere. */
  readonly needs?: RegExp;
  readonly pattern: RegExp;
}

/** What stands before the name. */
const before: readonly (readonly [what: string, before: string])[] = [
  [
    "a module or package",
    "(?:no module named|cannot find (?:module|package)|can't (?:resolve|find module)|could not (?:resolve|find) (?:module|package|import|a version for|gem)|module not found(?:: error)?:? ?(?:can't resolve)?|failed to resolve import|unresolved import|no matching distribution found for|could not find a version that satisfies the requirement|unable to locate package|no matching package named|(?:cannot|can't) find crate for|unresolved module|cannot load such file --|could not load file or assembly|no required module provides package|declaration file for module|ClassNotFoundException:|NoClassDefFoundError:|class not found:?|undefined reference to|cannot import name|libraries:)",
  ],
  [
    "a table, a column or another object of a database",
    "(?:no such (?:table|column|function|index|collection)|unknown (?:column|table|database|function|type|collation)|relation|column|table|constraint|(?:unique|not null|check|foreign key) constraint(?: failed)?|invalid object name|invalid column name|database|schema):?",
  ],
  [
    "a command, a flag or an argument",
    "(?:command not found:|unknown (?:command|subcommand|option|flag|argument|shorthand flag|revision|target|recipe)(?: or path)?:?|unrecognized (?:command|subcommand|option|arguments?|flag):?|(?:invalid|illegal|no such|unexpected|missing|required) (?:option|flag|switch|subcommand|command|argument)s?(?: --)?:?|ambiguous (?:option|flag|command)s?:?|(?:missing|required) (?:\\d+ )?(?:required )?(?:positional |keyword-only )?arguments?:|unexpected keyword argument|multiple values for (?:keyword )?argument|the following arguments are required:|missing script:|no rule to make target|executable file not found in \\$PATH:|invalid choice:)",
  ],
  [
    "an attribute, a method or a variable",
    "(?:has no (?:attribute|member|method|field|property|exported member)(?: named)?|undefined (?:local variable or method|method|variable|symbol|function|constant|property):?|(?:local|free|unbound|shell) variable|undefined:|cannot find (?:name|symbol|type|value|function|macro|struct, variant or union type)|unknown (?:field|property|attribute|key|parameter|keyword|variable|identifier|name|tool|setting)|fixture|no matches for kind|no (?:field|method|variant)(?: named)?|use of undeclared (?:identifier|crate or module|type)|undeclared (?:variable|identifier)|unresolved (?:reference|attribute)|cannot resolve keyword)",
  ],
  [
    "what is missing in an input or the environment",
    "(?:missing (?:required )?(?:field|property|parameter|key|column|environment variable|env(?:ironment)? var|header|setting|value for|variable|attribute|permission|scope|role)s?:?|(?:required|mandatory) (?:field|property|parameter|key|environment variable|header|setting|column|attribute)s?:?|must have required property|environment variable|env var|requested setting|no such config value:)",
  ],
];

/** Too general to be followed by a name, unless that is quoted. */
const beforeQuoted =
  "(?:(?<!\\b(?:in|at|inside|from) )(?:class|function|procedure|method)|(?<!\\bambiguous )argument|package|library|plugin|tool|preset|loader|role|quota|metric|rule|codec|algorithm|protocol|capability|privilege|extension|sequence|collection|view|index|property|attribute|name|field|parameter|setting|permission|scope|gem|executable|script|keyword|option|flag|app)";

/** What stands behind it. */
const behind: readonly (readonly [what: string, behind: string])[] = [
  [
    "a command",
    "(?:: command not found| is not recognized as (?:an internal|the name)|: executable file not found| is not a (?:\\w+ )?command|: not a valid command)",
  ],
  [
    "a name",
    "(?: (?:object )?has no (?:attribute|member|method|field|property)| is not defined| is not a function| is not a constructor| was not declared in this scope| undeclared| is not iterable| is undefined| is not a type| is not callable| is not subscriptable| referenced before assignment| used before| is used prior to| is not a known| is not installed| is (?:a )?required| package is required| does not (?:provide an export named|implement)| cannot be used as| got an unexpected keyword argument| missing \\d+ required| takes \\d+ positional| clashes with)",
  ],
];

/** Words that stand where a name could: `table not found`, `column does not exist`. */
const noName =
  /^(?:not|is|was|are|were|be|does|do|did|has|have|had|in|on|at|of|for|to|from|with|by|and|or|the|a|an|already|no|must|should|can|cannot|could|named?|value|error|failed|found|missing|required|exists?|violates?|denied|type|it|this|that|if|when|while|after|before|because|but|as|than|into|too|mismatch|invalid|length|count|size|call|called|argument|id|ids|names?|limit|key|query|access|scan)$/i;

export const keptNames: readonly KeptName[] = [
  ...before.map(([what, context]) => ({
    what,
    pattern: new RegExp(`(?<![\\w])(${context} ${quote})${name}(${quote})`, "gi"),
  })),
  ...behind.map(([what, context]) => ({
    what,
    needs: new RegExp(context, "i"),
    pattern: new RegExp(
      `(?<![\\w/.\\\\<-])(${quote})${name}(${quote}(?:\\(\\))?)(?=${context})`,
      "gi",
    ),
  })),
  {
    what: "a quoted name after a word for what it names",
    pattern: new RegExp(`(?<![\\w])(${beforeQuoted}:? ["'\`])${name}(["'\`])`, "gi"),
  },
  {
    what: "a header that is missing",
    pattern:
      /(\bfatal error: ["'<]?)([\w./+-]{1,100}\.(?:h|hh|hpp|hxx|inc))([">']?: (?:no such file|file not found))/gi,
  },
  {
    what: "a type that the language has",
    pattern:
      /(?<!\w)(?!(?<=: )["'`]\w+["'`]$)(["'`])((?:builtin_function_or_method|NoneType|str|int|float|bool|bytes|bytearray|complex|list|tuple|dict|set|frozenset|type|function|method|module|generator|coroutine|range|slice|object|undefined|null|string|number|boolean|symbol|bigint|void|never|unknown|any|ascii|latin-1|utf-8|charmap))(\1)(?!\w)/g,
  },
  {
    what: "a class as Python prints it",
    pattern: /(<class ["'])([\w.]{1,200})(["']>)/g,
  },
];

/** An identifier of one occurrence stands in the place of a name: `column 4711`, `job 8fK2xQ`. */
const ofOneOccurrence =
  /\d{3,}|(?=\w*[a-z])(?=\w*[A-Z])(?=\w*\d)\b\w{6,}|\b(?=[a-f]*\d)[0-9a-f]{7,}\b/;

/** The name between `head` and `tail` without quotes, and what is around it; null where it is no name. */
export function nameIn(
  head: string,
  found: string,
  tail: string,
): { readonly before: string; readonly name: string; readonly after: string } | null {
  const end = /[.:,/-]*$/.exec(found)?.[0].length ?? 0;
  const name = found.slice(0, found.length - end);
  const quoted = /["'`]$/.test(head);
  if (name === "" || ofOneOccurrence.test(name) || (!quoted && noName.test(name))) return null;
  const [before, after] = [head, tail].map((text) => text.replace(/<class |["'`>]/g, ""));
  return { before: before ?? "", name, after: found.slice(name.length) + after };
}
