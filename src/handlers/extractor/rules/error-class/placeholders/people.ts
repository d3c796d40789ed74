import type { Masked } from "./masked.ts";

/** Things that bear what their owner calls a number, though it may be letters alone. */
const givenOut =
  "(?:[Rr]ecord|[Rr]eservation|[Rr]eserva|[Rr]éservation|[Bb]uchung|[Pp]renotazione|[Bb]ooking|[Ii]tinerary|[Cc]onfirmation|[Vv]oucher|[Cc]oupon|[Pp]romo(?:tion)?|[Tt]racking|[Ss]hipment|[Pp]arcel|[Ss]erial|[Bb]arcode|[Tt]icker|[Pp]assport|[Ll]icen[cs]e plate|PNR|SKU|[Ss]ku|ASIN|ISBN|VIN|UPC|EAN|IBAN|BIC)";

const wordsInCapitals =
  "(?:NOT|FOUND|INVALID|EXPIRED|MISSING|FAILED|ERROR|DENIED|LOCKED|ALREADY|EXISTS|CANCELL?ED|REQUIRED|NUMBER|CLOSED|REJECTED|STATUS|REQUEST)";

/** Who it was, and what people are given: flights, seats, bookings, numbers to call. */
export const ofPeople: readonly Masked[] = [
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
];
