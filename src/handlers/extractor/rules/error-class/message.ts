import { normaliseErrorClass } from "./normalise.ts";

/**
 * What a free text may tell of its class: a status, the name of an exception, a code. Words of the text itself never get
 * any further, so each of these is an identifier, in the order in which they are asked for.
 */
const identifiers: readonly RegExp[] = [
  /(?<!\w)http_[1-5]\d\d(?!\w)/,
  /^(?:[A-Za-z_]\w{0,60}\.){0,8}[A-Za-z_]\w{0,80}(?:Error|Exception|Warning|Failure|Timeout|Interrupt)(?=:|$)/,
  /^[a-z][a-z0-9]{0,30}(?:_[a-z0-9]{1,30}){0,6}_(?:error|exception|exceeded|denied|refused|failed|timeout|found|expired|limit|unavailable|request|invalid)(?=:|$)/,
  /\bSQLSTATE [0-9A-Z]{5}\b/,
  /\b(?:ORA|TNS|PLS)-\d{5}\b/,
  /(?<!\w)E(?:ACCES|ADDRINUSE|AGAIN|CONNABORTED|CONNREFUSED|CONNRESET|EXIST|HOSTUNREACH|ISDIR|MFILE|NETUNREACH|NOENT|NOMEM|NOSPC|NOTDIR|NOTEMPTY|NOTFOUND|PERM|PIPE|ROFS|TIMEDOUT)(?!\w)/,
  /\bSIG(?:KILL|TERM|SEGV|ABRT|INT|BUS|FPE|ILL|PIPE|HUP)\b/,
  /\bexit code -?\d{1,10}\b/,
];

/** The class of a failure that has a message alone; undefined where the message names none. */
export function classNamedIn(message: string): string | undefined {
  const line = normaliseErrorClass(message);
  for (const identifier of identifiers) {
    const [found] = identifier.exec(line) ?? [];
    if (found !== undefined) return found;
  }
  return undefined;
}
