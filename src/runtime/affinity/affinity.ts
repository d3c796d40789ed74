import { BusError, type ErrorCode, errorStatus, isOutage, messageOf } from "../../errors.ts";
import type { BatchContext } from "../consumer.ts";
import { groupBy } from "../grouping.ts";
import type { Members } from "./members.ts";
import type { OneByOne } from "./one-by-one.ts";
import { ownerOf } from "./rendezvous.ts";

/** No member has received the request: another one may be asked. */
export class NobodyThere extends Error {}

export interface AffinityOptions<T> {
  readonly self: string;
  readonly members: Members;
  /**
   * Asks another member. Rejects with `NobodyThere` where that is certain; whatever else it rejects with, that one may
   * have got it.
   */
  readonly ask: (member: string, request: Uint8Array) => Promise<Uint8Array>;
  /** What decides about the owner. */
  readonly keyOf: (item: T) => string;
  /** As JSON, and back. `from` throws a refusal for what is none. */
  readonly codec: { to(item: T): unknown; from(value: unknown): T };
  readonly work: OneByOne<T>;
  /** What an owner tells of items that it has handled, and what a sender makes of it. */
  readonly news: { of(items: readonly T[]): unknown; learn(news: unknown): void };
  /** Of one request. */
  readonly mostBytes: () => number;
  readonly events: AffinityEvents;
  /** A bug: the process must end. */
  readonly onFatal: (error: unknown) => void;
}

/** For the metrics. */
export interface AffinityEvents {
  handedOn(items: number): void;
  received(items: number): void;
  /** By an owner, which could not handle them. */
  refused(items: number): void;
  /** Nothing will be known of what this owner did with them. */
  lost(items: number, owner: string, why: string): void;
  /** To the stream, because an owner is lost. */
  handedBack(items: number): void;
}

export interface Affinity<T> {
  /**
   * Has each item handled by the owner of its key, and resolves once the owners have answered. What an owner was given that
   * is lost is handed back to the stream and not done here: an item that kills its owner must not kill this replica, too.
   * Rejects as a handler does.
   */
  handle(items: readonly T[], context: Pick<BatchContext, "isolated" | "handBack">): Promise<void>;
  /** Handles what another replica hands on; resolves to the answer. */
  receive(request: Uint8Array): Promise<Uint8Array>;
  /** The requests that are not answered yet. */
  working(): readonly string[];
}

interface Request {
  readonly id: string;
  readonly items: readonly unknown[];
}

type Reply =
  | { readonly ok: true; readonly news: unknown }
  | { readonly ok: false; readonly code: ErrorCode; readonly message: string };

const keysRemembered = 10_000;

export function createAffinity<T extends object>(options: AffinityOptions<T>): Affinity<T> {
  const { self, members, keyOf, work, events } = options;
  /** Handed to an owner of whose answer nothing is known: not to be done by anybody else in this delivery. */
  const lost = new WeakSet<T>();
  const working = new Set<string>();
  const ownerOfItem = rememberedOwners(members, keyOf);
  const handOn = createHandOn(options, lost);

  /** Resolves to those that no member has received. */
  async function handleBy(member: string, items: readonly T[]): Promise<readonly T[]> {
    if (member !== self) return await handOn(member, items);
    await work.together(items);
    return [];
  }

  return {
    async handle(items, { isolated, handBack }) {
      if (isolated || handBack === undefined) return await work.alone(items, isolated);
      for (let left = items.filter((item) => !lost.has(item)); left.length > 0; ) {
        const parts = groupBy(left, ownerOfItem);
        left = await allOrWorst([...parts].map(([member, some]) => handleBy(member, some)));
      }
      const back = items.filter((item) => lost.has(item));
      if (back.length === 0) return;
      handBack(back);
      events.handedBack(back.length);
    },

    async receive(body) {
      let id: string | undefined;
      try {
        const request = requestIn(body);
        id = request.id;
        working.add(id);
        const items = request.items.map((one) => options.codec.from(one));
        events.received(items.length);
        await work.together(items);
        return encoded({ ok: true, news: options.news.of(items) });
      } catch (error) {
        if (!(error instanceof BusError)) {
          options.onFatal(error);
          throw error;
        }
        return encoded({ ok: false, code: error.code, message: error.message });
      } finally {
        if (id !== undefined) working.delete(id);
      }
    },

    working: () => [...working],
  };
}

/** Owners by key, until the members are others. */
function rememberedOwners<T>(members: Members, keyOf: (item: T) => string): (item: T) => string {
  const owners = new Map<string, string>();
  let of: readonly string[] = [];
  return (item) => {
    const current = members.current();
    if (current !== of || owners.size > keysRemembered) {
      owners.clear();
      of = current;
    }
    const key = keyOf(item);
    let owner = owners.get(key);
    if (owner === undefined) {
      owner = ownerOf(key, current) ?? "";
      owners.set(key, owner);
    }
    return owner;
  };
}

function createHandOn<T extends object>(options: AffinityOptions<T>, lost: WeakSet<T>) {
  const { self, members, ask, codec, news, events } = options;
  let requests = 0;

  /** True when the member has handled them, false when no member has received them; of those in `lost` nothing is known. */
  async function handOnOne(member: string, part: Part<T>): Promise<boolean> {
    const id = `${self}:${++requests}`;
    const { lost: isLost, forget } = members.untilLost(member, id);
    try {
      const request = Buffer.from(`{"id":${JSON.stringify(id)},"items":[${part.texts.join(",")}]}`);
      // The answer may have come with the word that its owner is gone: it counts.
      const isOver = isLost.then((why) => turn().then(() => Promise.reject(new Error(why))));
      const answer = await Promise.race([ask(member, request), isOver]);
      const reply = replyIn(answer);
      if (reply.ok) {
        news.learn(reply.news);
        events.handedOn(part.items.length);
        return true;
      }
      events.refused(part.items.length);
      throw new BusError(reply.code, reply.message);
    } catch (error) {
      if (error instanceof BusError) throw error;
      if (error instanceof NobodyThere) {
        members.drop(member);
        return false;
      }
      for (const item of part.items) lost.add(item);
      events.lost(part.items.length, member, messageOf(error));
      return true;
    } finally {
      forget();
    }
  }

  return async (member: string, items: readonly T[]): Promise<readonly T[]> => {
    const parts = partsOf(items, codec.to, options.mostBytes());
    return await allOrWorst(
      parts.map(async (part) => ((await handOnOne(member, part)) ? [] : part.items)),
    );
  };
}

/** Resolves when everything that has arrived by now has been taken in. */
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

interface Part<T> {
  readonly items: T[];
  readonly texts: string[];
}

/** As many as fit into one request, one at least. */
function partsOf<T>(
  items: readonly T[],
  encode: (item: T) => unknown,
  mostBytes: number,
): Part<T>[] {
  const parts: Part<T>[] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const item of items) {
    const text = JSON.stringify(encode(item));
    const size = Buffer.byteLength(text) + 1;
    if (bytes + size > mostBytes) {
      parts.push({ items: [], texts: [] });
      bytes = 0;
    }
    bytes += size;
    parts.at(-1)?.items.push(item);
    parts.at(-1)?.texts.push(text);
  }
  return parts;
}

const encoded = (reply: Reply): Uint8Array => Buffer.from(JSON.stringify(reply));

function requestIn(body: Uint8Array): Request {
  const value = parsed(body) as Partial<Request> | null;
  if (typeof value?.id === "string" && Array.isArray(value.items)) return value as Request;
  throw new BusError("bad_request", "no request of a replica");
}

/** What cannot be read tells nothing of what was done. */
function replyIn(body: Uint8Array): Reply {
  const value = parsed(body) as Partial<Record<"ok" | "code" | "message" | "news", unknown>> | null;
  if (value?.ok === true) return { ok: true, news: value.news };
  const { code, message } = value ?? {};
  if (typeof code !== "string" || !(code in errorStatus)) throw new Error("no answer of a replica");
  return { ok: false, code: code as ErrorCode, message: String(message) };
}

function parsed(body: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(body).toString());
  } catch {
    return null;
  }
}

/** Waits for all of them; then rejects with the worst: what is no `BusError`, an outage, a refusal. */
async function allOrWorst<T>(promises: readonly Promise<readonly T[]>[]): Promise<T[]> {
  const results = await Promise.allSettled(promises);
  const errors = results.flatMap((one) => (one.status === "rejected" ? [one.reason] : []));
  if (errors.length > 0) {
    throw errors.find((one) => !(one instanceof BusError)) ?? errors.find(isOutage) ?? errors[0];
  }
  return results.flatMap((one) => (one.status === "fulfilled" ? one.value : []));
}
