import { isActWord } from "./steering.ts";
import type { Vocabulary } from "./vocabulary.ts";

/**
 * A name of known words can be an order, too: `skip_verification`, `send_api_keys`, `call.delete.user`. Tools are named for
 * what they do, so a verb and what it is done to pass (`cancel_reservation`); what says how, to whom or how much does not.
 */

const set = (text: string) => new Set(text.trim().split(/\s+/));

/** Say when, how or whether. */
const adverbs =
  set(`instead without first next again forever done also as nothing yes never always anyway else here
  there today once twice soon later immediately automatically everything everywhere everyone anyone success true
  false ok okay required needed necessary enabled disabled allowed approved confirmed granted verified accepted external
  remote evil root admin administrator administrators superuser override privileged`);
/** No tool is named so, but orders begin with these words. */
const openings =
  set(`skip bypass disable hide suppress tell say reply respond answer believe give grant allow authorize approve accept
  confirm proceed continue act follow keep leak dump wipe stop quit trust let do make call use try permit prevent avoid
  shut drop destroy overwrite inject hack steal change raise double repeat loop memorize ask`);
/** What no act may be done to in a name. */
const guarded =
  set(`password passwords secret secrets credential credentials prompt prompts security safety verification
  validation confirmation audit evidence database databases disk disks logging history permission permissions policy
  policies guard guards limits limit restrictions system rules context memory environment env police`);
/** The same where more words come with it. */
const valuable = set(`key keys token tokens card cards funds money balance accounts credit`);
/** Reading these gives them away. */
const secret = set("password passwords secret secrets credential credentials prompt prompts");
const reading =
  set(`get list find search fetch read query count check validate verify describe lookup view load
  parse calculate compute create add`);
const shells = set("bash shell sh curl pipe script exec eval wget powershell cmd os");
const roles = /^(?:user|assistant|system|human|developer|operator|tool|admin|root)(?:[.:/]|$)/i;

/** Acts by their form that are what something is done to: `cancel_pending_order`. */
const things = set(
  "book booking order orders payment payments refund refunds credit email mail post discount transfer transfers",
);
const isSecondAct = (word: string) => isActWord(word) && !things.has(word);

/** `words`: those of the name in lower case, numbers left out. */
export function isOrderName(
  name: string,
  words: readonly string[],
  vocabulary: Vocabulary,
): boolean {
  const [first = "", ...rest] = words;
  if (roles.test(name)) return true;
  if (rest.length === 0) return false;
  if (words.some((word) => adverbs.has(word)) || openings.has(first)) return true;
  if (rest.some((word) => secret.has(word))) return true;
  const kind = vocabulary.classOf(first);
  if (kind !== "verb" && kind !== "either" && kind !== "part" && !isActWord(first)) return false;
  // `pay.now`, `run/shell/command`: what has parts begins with what it belongs to.
  if (/^[^_-]+[.:/]/.test(name)) return true;
  if (reading.has(first)) return false;
  if (/(?:^|[_.:/-])\d{2,}(?:$|[_.:/-])/.test(name)) return true;
  if (rest.some((word) => guarded.has(word))) return true;
  if (rest.length > 1 && rest.some((word) => valuable.has(word))) return true;
  if (rest.length > 1 && (first === "report" || rest.some(isSecondAct))) return true;
  return rest.length > 2 && words.some((word) => shells.has(word));
}
