import { BusError, isRefusal } from "../../errors.ts";
import type { Logger } from "../../log.ts";
import type { DeadLetterFilter } from "../../runtime/dead-letter.ts";
import type { KeptLetter } from "../../runtime/dead-letter-message.ts";
import { cursorOf } from "../../schema/cursor.ts";
import { Type } from "../../schema/typebox.ts";
import type { ConcernPart } from "../concern.ts";
import { endpoint } from "../endpoint.ts";
import type { DeadLetterArchive } from "./archive.ts";
import type { DeadLetterMetrics } from "./metrics.ts";
import {
  filterFrom,
  type GetReply,
  getReplySchema,
  getSchema,
  hasFilter,
  type ListReply,
  type ListRequest,
  listReplySchema,
  listSchema,
  type PurgeReply,
  type PurgeRequest,
  purgeReplySchema,
  purgeSchema,
  type ReplayReply,
  type ReplayRequest,
  replayReplySchema,
  replaySchema,
  wireLetter,
} from "./wire.ts";

export interface DeadLettersOptions {
  readonly archive: DeadLetterArchive;
  readonly metrics: DeadLetterMetrics;
  readonly log: Logger;
}

/** So long a request works; what is left then is for the next one. Callers wait five seconds by default. */
const workMs = 3_500;
/** So many letters are replayed or purged at once. */
const atOnce = 250;
const mostSkippedTold = 100;
const mostShownBytes = 256 * 1024;

const sequence = Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER });
/** The page begins before it. */
const listed = cursorOf(Type.Tuple([sequence]));
/** Where to go on, and where to end. */
const scanned = cursorOf(Type.Tuple([sequence, sequence]));

/** Dead letters, to look at, to replay, to remove. */
export function deadletters({ archive, metrics, log }: DeadLettersOptions): ConcernPart {
  async function list(request: ListRequest): Promise<ListReply> {
    const { cursor } = request;
    const [before] = cursor === undefined ? [Number.MAX_SAFE_INTEGER] : listed.placeOf(cursor);
    const { letters, next } = await archive.page(filterFrom(request), before, request.limit ?? 100);
    return {
      dead_letters: letters.map(({ letter }) => wireLetter(letter)),
      cursor: next === null ? null : listed.at(next),
    };
  }

  async function get({ id }: { id: string | number }): Promise<GetReply> {
    const { letter, headers, payload } = await existing(String(id));
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

  function refuseBoth(id: unknown, filter: DeadLetterFilter): void {
    if (id === undefined || !hasFilter(filter)) return;
    throw new BusError("bad_request", "name an id or a filter, not both");
  }

  async function existing(id: string): Promise<KeptLetter> {
    const kept = await archive.get(id);
    if (kept === null) throw new BusError("not_found", `there is no dead letter ${id}`);
    return kept;
  }

  async function replay(request: ReplayRequest): Promise<ReplayReply> {
    const filter = { ...filterFrom(request), replayed: undefined };
    refuseBoth(request.id, filter);
    if (request.id === undefined && !hasFilter(filter) && request.all !== true) {
      throw new BusError("bad_request", 'name an id or a filter, or all of them with "all": true');
    }
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
      const { matched, cursor } = await forEach(request, { ...filter, replayed: false }, work);
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

  async function purge(request: PurgeRequest): Promise<PurgeReply> {
    const filter = filterFrom(request);
    refuseBoth(request.id, filter);
    if (request.id === undefined && !hasFilter(filter)) {
      throw new BusError("bad_request", "name an id or a filter of what is to be purged");
    }
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
      const { matched, cursor } = await forEach(request, filter, work);
      return { matched, purged, dry_run: dryRun, cursor };
    } finally {
      metrics.deadLettersPurged.inc(purged);
      for (const [reason, letters] of reasons) {
        log.warn({ reason, letters, note: request.note }, "dead letters purged");
      }
    }
  }

  /** Of one, or of all that match: as many as there is time for, the oldest first. */
  async function forEach(
    request: ReplayRequest | PurgeRequest,
    filter: DeadLetterFilter,
    work: (kept: KeptLetter) => Promise<void>,
  ): Promise<{ matched: number; cursor: string | null }> {
    if (request.id !== undefined) {
      await work(await existing(String(request.id)));
      return { matched: 1, cursor: null };
    }
    const startedAt = performance.now();
    const { from, upTo } = await rangeOf(request.cursor);
    let matched = 0;
    for await (const { letters, next } of archive.scan(filter, from, upTo)) {
      for (let i = 0; i < letters.length; i += atOnce) {
        await Promise.all(letters.slice(i, i + atOnce).map(work));
      }
      matched += letters.length;
      const isLate = performance.now() - startedAt > workMs;
      if (isLate && next <= upTo) return { matched, cursor: scanned.at(next, upTo) };
    }
    return { matched, cursor: null };
  }

  /** What comes back while others are replayed is not replayed again: the end is where it was at first. */
  async function rangeOf(cursor: string | undefined): Promise<{ from: number; upTo: number }> {
    if (cursor === undefined) return { from: 1, upTo: await archive.lastSequence() };
    const [from, upTo] = scanned.placeOf(cursor);
    return { from, upTo };
  }

  return {
    endpoints: [
      endpoint({
        name: "deadletters-list",
        request: listSchema,
        reply: listReplySchema,
        handle: list,
      }),
      endpoint({
        name: "deadletters-get",
        request: getSchema,
        reply: getReplySchema,
        handle: get,
      }),
      endpoint({
        name: "deadletters-replay",
        request: replaySchema,
        reply: replayReplySchema,
        handle: replay,
      }),
      endpoint({
        name: "deadletters-purge",
        request: purgeSchema,
        reply: purgeReplySchema,
        handle: purge,
      }),
    ],
  };
}

function askedFor({ cursor: _, ...request }: ReplayRequest): object {
  return { request };
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
