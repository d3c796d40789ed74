import { isRefusal } from "../../errors.ts";
import type { Logger } from "../../log.ts";
import type { KeptLetter } from "../../runtime/dead-letter-message.ts";
import { cursorOf } from "../../schema/cursor.ts";
import { Type } from "../../schema/typebox.ts";
import type { ConcernPart } from "../concern.ts";
import { endpoint } from "../endpoint.ts";
import type { DeadLetterArchive } from "./archive.ts";
import { existing, forEach, sequence } from "./each.ts";
import type { DeadLetterMetrics } from "./metrics.ts";
import {
  filterFrom,
  type GetReply,
  getReplySchema,
  getSchema,
  type ListReply,
  type ListRequest,
  listReplySchema,
  listSchema,
  type PurgeReply,
  type PurgeRequest,
  purgeFilterFrom,
  purgeReplySchema,
  purgeSchema,
  type ReplayReply,
  type ReplayRequest,
  replayFilterFrom,
  replayReplySchema,
  replaySchema,
  wireLetter,
} from "./wire.ts";

export interface DeadLettersOptions {
  readonly archive: DeadLetterArchive;
  readonly metrics: DeadLetterMetrics;
  readonly log: Logger;
}

const mostSkippedTold = 100;
const mostShownBytes = 256 * 1024;

/** The page begins before it. */
const listed = cursorOf(Type.Tuple([sequence]));

/** Dead letters, to look at, to replay, to remove. */
export function deadletters(options: DeadLettersOptions): ConcernPart {
  return {
    endpoints: [
      endpoint({
        name: "deadletters-list",
        request: listSchema,
        reply: listReplySchema,
        handle: (request: ListRequest) => list(request, options),
      }),
      endpoint({
        name: "deadletters-get",
        request: getSchema,
        reply: getReplySchema,
        handle: (request: { id: string | number }) => get(request, options),
      }),
      endpoint({
        name: "deadletters-replay",
        request: replaySchema,
        reply: replayReplySchema,
        handle: (request: ReplayRequest) => replay(request, options),
      }),
      endpoint({
        name: "deadletters-purge",
        request: purgeSchema,
        reply: purgeReplySchema,
        handle: (request: PurgeRequest) => purge(request, options),
      }),
    ],
  };
}

async function list(request: ListRequest, { archive }: DeadLettersOptions): Promise<ListReply> {
  const { cursor } = request;
  const [before] = cursor === undefined ? [Number.MAX_SAFE_INTEGER] : listed.placeOf(cursor);
  const { letters, next } = await archive.page(filterFrom(request), before, request.limit ?? 100);
  return {
    dead_letters: letters.map(({ letter }) => wireLetter(letter)),
    cursor: next === null ? null : listed.at(next),
  };
}

async function get(
  { id }: { id: string | number },
  { archive }: DeadLettersOptions,
): Promise<GetReply> {
  const { letter, headers, payload } = await existing(id, archive);
  const shown = payload.subarray(0, mostShownBytes);
  const text = textOf(shown, payload.length > shown.length);
  return {
    ...wireLetter(letter),
    headers: Object.fromEntries(headers ?? []),
    payload: text ?? Buffer.from(shown).toString("base64"),
    payload_encoding: text === null ? "base64" : "utf-8",
    payload_shown_bytes: shown.length,
  };
}

async function replay(
  request: ReplayRequest,
  { archive, metrics, log }: DeadLettersOptions,
): Promise<ReplayReply> {
  const filter = replayFilterFrom(request);
  const dryRun = request.dry_run === true;
  const skipped: { id: string; reason: string }[] = [];
  let replayed = 0;
  const work = async (kept: KeptLetter) => {
    if (dryRun) return;
    try {
      await archive.replay(kept);
      replayed += 1;
    } catch (error) {
      // Its own fault; an outage ends the request, and what is done by then need not be done again.
      if (!isRefusal(error)) throw error;
      skipped.push({ id: kept.letter.id, reason: error.message });
    }
  };
  try {
    const { matched, cursor } = await forEach(request, filter, work, archive);
    return {
      ...{ matched, replayed, cursor },
      skipped: skipped.slice(0, mostSkippedTold),
      skipped_count: skipped.length,
      dry_run: dryRun,
    };
  } finally {
    metrics.deadLettersReplayed.inc(replayed);
    if (replayed > 0) log.info({ ...askedFor(request), replayed }, "dead letters replayed");
  }
}

function askedFor({ cursor: _, ...request }: ReplayRequest): object {
  return { request };
}

async function purge(
  request: PurgeRequest,
  { archive, metrics, log }: DeadLettersOptions,
): Promise<PurgeReply> {
  const filter = purgeFilterFrom(request);
  const dryRun = request.dry_run === true;
  const reasons = new Map<string, number>();
  let purged = 0;
  const work = async (kept: KeptLetter) => {
    if (dryRun) return;
    await archive.remove(kept);
    purged += 1;
    const { stream, durable, code, reason } = kept.letter;
    const why = `${stream}/${durable} ${code}: ${reason}`;
    reasons.set(why, (reasons.get(why) ?? 0) + 1);
  };
  try {
    const { matched, cursor } = await forEach(request, filter, work, archive);
    return { matched, purged, dry_run: dryRun, cursor };
  } finally {
    metrics.deadLettersPurged.inc(purged);
    for (const [reason, letters] of reasons) {
      log.warn({ reason, letters, note: request.note }, "dead letters purged");
    }
  }
}

/**
 * Null when it is not text, or text that JSON makes too long. Of a payload that is cut, half a character at
 * the end does not count.
 */
function textOf(payload: Uint8Array, isCut: boolean): string | null {
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(payload, {
      stream: isCut,
    });
    return Buffer.byteLength(JSON.stringify(text)) <= 2 * mostShownBytes ? text : null;
  } catch {
    return null;
  }
}
