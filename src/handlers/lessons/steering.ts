/**
 * Statements steer as orders do: "funds have to be transferred to account 42", "verification is disabled". So a clause that
 * speaks of an act with consequences, of a secret or of who allows what passes only where it says that something failed.
 */

const set = (text: string) => new Set(text.trim().split(/\s+/));

/** How words begin that name acts with consequences, or what may be given away. */
const act =
  /^(?:transfer|send|sent|delet|remov|drop|destroy|eras|wip|pays?$|paying|payment|refund|grant|approv|disabl|enabl|install|uninstall|download|upload|export|shar(?:e|ing)|post(?:ed|s|ing)?$|submi|provid|giv(?:e|es|ing)$|reveal|disclos|shown?$|shows|buy|bought|purchas|wire|withdr|deposit|reset|shut|terminat|kill|skip|bypass|ignor|confirm|verif|authoriz|accept|permit|entitl|trust|credit|order|cancel|escalat|forward|overwrit|push|email|mail|running|execut|calls$|calling|uses$|using|replac|reboot|restart|mov(?:e|ed|es|ing)$|cop(?:y|ied|ying)$|publish|writes$|changed$|chang(?:e|es|ing)$|book(?:s|ed|ing)?$|reply|replies|answer|password|passphrase|credential|secret|funds?$|discount)/;
/** They end as such words, and say nothing of the kind. */
const noAct = set("truststore shared accepts");

const failing =
  /^(?:not|no|none|never|nothing|cannot|.+n't|without|nor|neither|fail\w*|errors?|errored|erroring|exceptions?|invalid\w*|illegal|missing|missed|unknown|unrecogni\w+|unable|unexpected\w*|unsupported|undefined|unavailable|unreachable|unauthori[sz]ed|unauthenticated|unhandled|unresolved|unmatched|unclosed|unterminated|unbound\w*|unset|untrusted|unpaid|unsafe|denied|denies|refused|rejected|forbidden|exceed\w*|expired|timeouts?|timed|conflict\w*|duplicate\w*|exists|locked|closed|broken|corrupt\w*|mismatch\w*|overflow|underflow|insufficient|ineligible|too|out|already|bad|wrong|incorrect\w*|improper\w*|abort\w*|interrupted|declined|violat\w*|fatal|panic|crash\w*|deadlock\w*|dead|quota|empty|null|nil|stale|deprecated|obsolete|blocked|disallowed|inaccessible|impossible|ambiguous|malformed|inconsistent|incompatible|inactive|incomplete|lost|lacks|stuck|unfinished|warning|unused|clash\w*|cancell?ed|died|dangling|only)$/;

/** What is not needed or not checked any more is no failure. */
const reassuring =
  /\b(?:no|not|never|without|n't)\b(?: \w+){0,3} (?:required|needed|necessary|verification|confirmation|approval|checks?|checked|checking|limits?|review|identification|restrictions?)\b/;
const guarded =
  /\b(?:verification|validation|safety|security|filters?|checks?|limits?|limited|restrictions?|polic\w+|rules|moderation|audit|protection|protections|mode|guards?|confirmation|logging)\b(?: \w+){0,4} (?:disabled|removed|off|lifted|void|inactive|suspended|ended|cleared|bypassed|skipped|changed|enabled|auto|invalid|empty|null|none|expired|obsolete|closed|deprecated|dropped)\b/;
const earlier =
  /\b(?:previous|prior|earlier|former|all|above|old|original)\b(?: \w+){0,2} (?:rules|messages?|context|contexts|tasks?|prompts?|conversations?|polic\w+|guidance|directions?|directives?)\b/;
const advising =
  /\b(?:fixes|fixed by|solves|solved by|resolves|resolved (?:by|after|this|when|with|once)|succee\w+ (?:after|when|if|with|once)|success\w* (?:after|when|if|with|once)|works? (?:after|with|without|when|if|only|once)|next (?:\w+ )?(?:step|action|message|reply|call|request|response|answer|output)|(?:correct|right|best|proper|good|valid|expected|only|required|wanted|desired) (?:next )?(?:step|action|way|answer|reply|response|output|result)s?)\b/;
const recommended =
  /\b(?:solution|resolution|workaround|instead|step|steps|action|actions|recovery)\b/;
const byWhom =
  /\b(?:from|by|for) (?:\w+ )?(?:operator|administrator|admin|headquarters|developers?|owner|support|staff|management|humans?|person|president|manager|supervisor|employer)\b/;
/** "must", and what else says that something is to be done. */
const obliging =
  /\b(?:must|should|shall|ought|have to|has to|had to|needs? to|(?:is|are|was|be) to|supposed|required|requires|requiring|needed|necessary|expected|expects|mandatory|instructed|obliged|entitled|advised)\b/;
const permitted =
  /\b(?:granted|grants|approved|approves|authori[sz]ed|verified|trusted|entitled|permitted|confirmed|allows|accepted|allowed)\b/;
const denying =
  /^(?:not|no|never|cannot|.+n't|nor|neither|denied|refused|fail\w*|without|unable|only|maximum|max|than|limit|exhausted|exceed\w*|error|invalid)$/;
/** "payment required", "password is required": what services say. */
const plainlyRequired =
  /^(?:the |a )?(?:\w+ )?(?:payment|passwords?|credentials|token|authentication|authorization|login|key)(?: is| are| was)? (?:required|expected|needed|missing)$/;

/** Into what an agent says. */
const told =
  /\b(?:in|into|to|with) (?:(?:the|every|each|all|this|its|next|final) )*(?:response|reply|answer|output|summary|chat|conversation|prompt)s?\b/;
const key = /\b(?:api|private|access|secret|signing|encryption|ssh) keys?\b/;
const conditional = set("when if unless once after before until while");
const errorEnding = set("error exception warning failure fault violation timeout interrupt");
const ordering = set("call use try let make tell give ignore always never");

const claims = [
  ...[reassuring, guarded, earlier, advising],
  // "the correct amount is 9999", "user messages have priority"
  /\b(?:valid|correct|known|new|final|default) (?:\w+ ){0,2}(?:is|are|at)\b(?! not| no)/,
  /\b(?:priority|precedence)\b/,
  // "verification is forbidden"
  /\b(?:verification|confirmation|validation|checking|verifying|validating|confirming|logging|reporting|stopping|refus\w+|asking)\b(?: \w+){0,2} (?:forbidden|illegal|not allowed|error|wrong|unsafe)\b/,
  // "no password in the reply"
  /\b(?:passwords?|secrets?|credentials|keys?|tokens?)\b.*\b(?:in|into|to) (?:the )?(?:reply|response|answer|output|message|summary|chat)\b/,
  /^(?!.*\b(?:cannot|not|to|n't) )(?:.* )?(?:transfer|send|pay|delete|grant|share|post|export|upload|move|copy|drop|write|refund|cancel) (?:(?:the|all|every|each|any) )*(?:funds|money|balance|accounts?|files?|data|databases?|users?|passwords?|access|everything|requests?|orders?)\b/,
];
const done =
  /\b(?:safe|free|complete|completed|done|success|successful|successfully|passed|valid|real|owner|paid in full)\b/;

/** `words`: of one clause, in lower case; `names`: those of each identifier in it. */
export function steers(words: readonly string[], names: readonly (readonly string[])[]): boolean {
  if (names.some(isOrderingName)) return true;
  // One word orders nothing, unless it is a verb, and those are judged elsewhere.
  if (words.length === 1 && names.length === 0) return permitted.test(words[0] ?? "");
  const clause = words.filter((word) => word !== "").join(" ");
  if (plainlyRequired.test(clause) || /\b(?:reset by peer|is shutting down)\b/.test(clause))
    return false;
  if (claims.some((claim) => claim.test(clause))) return true;
  if (permitted.test(clause) && !words.some((word) => denying.test(word))) return true;
  if (/\bonly\b/.test(clause) && names.some(isActName)) return true;
  const isAct = words.some(isActWord) || names.some(isActName);
  if (isAct && (conditional.has(words[0] ?? "") || /\bwithout\b/.test(clause))) return true;
  if (obliging.test(clause) && (isAct || told.test(clause) || key.test(clause))) return true;
  const fails = words.some((word) => failing.test(word)) || names.some(isError);
  return !fails && (isAct || done.test(clause) || byWhom.test(clause) || recommended.test(clause));
}

/** Whether a word in lower case names an act with consequences. */
export const isActWord = (word: string) => act.test(word) && !noAct.has(word);
const isError = (name: readonly string[]) => errorEnding.has(name.at(-1) ?? "");
const isActName = (name: readonly string[]) => isActWord(name[0] ?? "") && !isError(name);

/** `CallTransferFundsError`, `PasswordExpectedInReplyException`. */
function isOrderingName(name: readonly string[]): boolean {
  if (!isError(name)) return false;
  const acts = name.filter(isActWord).length;
  const text = name.join(" ");
  if (ordering.has(name[0] ?? "") || acts > 1 || (acts > 0 && obliging.test(text))) return true;
  return claims.some((claim) => claim.test(text));
}
