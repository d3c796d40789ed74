/**
 * What to do about the error classes that every agent meets, in one table: the first row whose
 * pattern matches the normalised error class wins. `{target}` stands for the tool or model that
 * failed, `{class}` for the error class; both are cut to plain characters before they get here.
 */
export interface Advice {
  readonly name: string;
  readonly pattern: RegExp;
  readonly action: string;
  readonly avoid: string;
}

export const adviceTable: readonly Advice[] = [
  {
    name: "context_length",
    pattern:
      /context.?(length|window|limit)|maximum.?context|too.?many.?tokens|max.?tokens|prompt.?(is.?)?too.?long|token.?limit/i,
    action:
      "Shorten the input of {target} before the call: drop or summarise the oldest turns and large tool results, or choose a model with a larger context.",
    avoid: "Do not send the same input to {target} again; its length will not change by retrying.",
  },
  {
    name: "content_filter",
    pattern: /content.?(filter|policy|management)|moderation|safety|blocked.?by.?policy|flagged/i,
    action:
      "Rephrase the request to {target} without the part that was refused, or hand the case to a person.",
    avoid: "Do not resend the refused text to {target} or to another model word for word.",
  },
  {
    name: "rate_limit",
    pattern:
      /rate.?limit|too.?many.?requests|http_429|quota|throttl|resource.?exhausted|overloaded/i,
    action:
      "Wait before calling {target} again: honour Retry-After, else back off exponentially with jitter, and lower the number of parallel calls.",
    avoid: "Do not retry {target} at once or from several workers in parallel.",
  },
  {
    name: "timeout",
    pattern: /time.?out|timed.?out|deadline|http_(408|504)|etimedout/i,
    action:
      "Give {target} less to do in one call (smaller input, fewer results), set an explicit deadline, and retry once with backoff before taking another route.",
    avoid:
      "Do not wait for {target} without a deadline, and do not repeat the identical call in a loop.",
  },
  {
    name: "authentication",
    pattern:
      /auth(?!or(?!i[sz]))|http_(401|403)|api.?key|credential|unauthori[sz]ed|forbidden|permission|access.?denied|token.?expired/i,
    action:
      "Stop calling {target} and have its credentials and permissions checked; go on once they are renewed.",
    avoid:
      "Do not retry {target} with the same credentials; repeated refusals can lock the account.",
  },
  {
    name: "not_found",
    pattern:
      /not.?found|http_(404|410)|no.?such|does.?not.?exist|unknown.?(id|user|order|flight|item)|enoent/i,
    action:
      "Look the item up first and pass {target} an identifier that a listing or search has just returned.",
    avoid:
      "Do not call {target} with identifiers that were guessed, remembered or typed from memory.",
  },
  {
    name: "unavailable_or_short",
    pattern:
      /not.?enough|insufficient|not.?available|unavailable.?(on|for)|sold.?out|out.?of.?stock|exceeds?.?(the.?)?(balance|limit)/i,
    action:
      "Before calling {target}, read what is available (amounts, balances, seats, dates) and choose values it covers; otherwise offer the user an alternative.",
    avoid:
      'Do not retry {target} with the same values after "{class}"; nothing has become available meanwhile.',
  },
  {
    name: "not_allowed",
    pattern:
      /cannot.?be.?(used|changed|modified|cancell?ed)|not.?(allowed|permitted|supported|eligible)|violat/i,
    action:
      "Check the rules for this operation before calling {target}; where they exclude it, tell the user and use a permitted alternative.",
    avoid: "Do not try the excluded operation with {target} again in another form.",
  },
  {
    name: "invalid_arguments",
    pattern:
      /invalid|http_(400|422)|bad.?request|malformed|validation|schema|missing.?(required.?)?(argument|field|parameter)|wrong.?type|type.?error|pars(e|ing)|does.?not.?(add.?up|match)|mismatch|must.?(be|have)|required/i,
    action:
      'Before calling {target}, check its arguments against each other and against data just read (totals, ids, formats); correct what "{class}" points at, then call once.',
    avoid: 'Do not repeat {target} with unchanged arguments after "{class}".',
  },
  {
    name: "server_error",
    pattern:
      /http_5\d\d|server.?error|internal.?error|bad.?gateway|service.?unavailable|econn(refused|reset)|connection/i,
    action:
      "Treat {target} as down: retry a few times with exponential backoff, then use an alternative and report the outage.",
    avoid: 'Do not change the request to cure "{class}"; the fault is on the serving side.',
  },
];

const general: Advice = {
  name: "general",
  pattern: /(?:)/,
  action:
    'Before the next attempt, find out why {target} ends with "{class}" and change the approach: other arguments, another order of steps, or another route.',
  avoid: 'Do not repeat the same call of {target} unchanged after "{class}".',
};

export function adviceFor(errorClass: string): Advice {
  return adviceTable.find(({ pattern }) => pattern.test(errorClass)) ?? general;
}
