import { hash } from "node:crypto";
import { BusError, isOutage, isRefusal } from "../errors.ts";
import type { Logger } from "../log.ts";

/** Pages that are open, rendered once for all who look at the same. */
export interface LivePages {
  /**
   * Server-sent events of these pages: the page's name and its content, with the content's id, whenever it differs from what
   * is seen. Ends after `lifeMs`: whoever comes back shows again who it is. Pages of one tenant never wait for those of
   * another. Throws `busy` where too many are open.
   */
  follow(tenantId: string, pages: readonly SeenPage[]): ReadableStream<Uint8Array>;
}

export interface LivePage {
  /** What is the same for all who see the same. */
  readonly key: string;
  /** In the address of the request; one line. */
  readonly name: string;
  /** The content, as HTML. */
  readonly render: () => Promise<string>;
}

export interface SeenPage extends LivePage {
  /** Of what is shown now; empty: nothing is. */
  readonly seen: string;
}

/** Somebody who looks at a page. */
interface Viewer {
  /** What is on the page now. */
  seen: string;
  readonly show: (frame: Uint8Array) => void;
  readonly end: () => void;
}

/** Of one tenant, by their keys. */
type Topics = Map<string, Topic>;

interface Topic {
  readonly name: string;
  readonly render: () => Promise<string>;
  readonly viewers: Set<Viewer>;
}

const everyMs = 700;
/** Of its time, rendering gets less than a part of so many. */
const restFactor = 15;
const mostRestMs = 10_000;
const keepAliveMs = 20_000;
/** So long whoever has shown who it is may look on. */
export const lifeMs = 5 * 60_000;
const retryMs = 1_000;
const mostBehind = 8;
/** Different pages of a tenant, each rendered in every turn. */
export const mostTopics = 200;
const mostTenants = 1_000;

export function openLivePages(log: Logger): LivePages {
  /** Each one that is in here has its turns. */
  const tenants = new Map<string, Topics>();

  /** As long as somebody looks; one page after the other, so that a tenant never takes more than one place in line. */
  async function takeTurns(tenantId: string, topics: Topics): Promise<void> {
    while (topics.size > 0) {
      const startedAt = performance.now();
      for (const topic of topics.values()) await update(topic);
      const spent = performance.now() - startedAt;
      const restMs = Math.min(mostRestMs, Math.max(everyMs, spent * restFactor));
      await new Promise((resolve) => setTimeout(resolve, restMs));
    }
    tenants.delete(tenantId);
  }

  async function update({ name, render, viewers }: Topic): Promise<void> {
    // Whoever comes while it is rendered may have something newer.
    const waiting = [...viewers];
    let html: string;
    try {
      html = await render();
    } catch (error) {
      // In an outage what is shown stays; the next turn tries again.
      if (isOutage(error)) return;
      // Whoever comes back is told why.
      if (!isRefusal(error)) log.error({ err: error }, "an open page cannot be rendered");
      for (const viewer of waiting) viewer.end();
      return;
    }
    const id = contentId(html);
    const behind = waiting.filter((viewer) => viewer.seen !== id && viewers.has(viewer));
    if (behind.length === 0) return;
    const frame = frameOf(id, name, html);
    for (const viewer of behind) {
      viewer.seen = id;
      viewer.show(frame);
    }
  }

  return {
    follow(tenantId, pages) {
      const known = tenants.get(tenantId);
      const topics: Topics = known ?? new Map();
      requireRoom(topics, pages);
      if (known === undefined && tenants.size >= mostTenants) throw new BusError("busy", full);
      const followed = pages.map((page) => ({ ...page, topic: topicOf(topics, page) }));
      return streamFor({
        begin(look) {
          const viewers = followed.map(({ seen, topic }) => {
            const viewer: Viewer = { seen, ...look };
            topic.viewers.add(viewer);
            return viewer;
          });
          if (known === undefined) {
            tenants.set(tenantId, topics);
            void takeTurns(tenantId, topics);
          }
          return () => {
            for (const [i, { key, topic }] of followed.entries()) {
              topic.viewers.delete(viewers[i] as Viewer);
              if (topic.viewers.size === 0 && topics.get(key) === topic) topics.delete(key);
            }
          };
        },
      });
    },
  };
}

const full = "too many pages are open, try another replica";

function requireRoom(topics: Topics, pages: readonly LivePage[]): void {
  const all = new Set([...topics.keys(), ...pages.map(({ key }) => key)]);
  if (all.size > mostTopics) throw new BusError("busy", full);
}

function topicOf(topics: Topics, { key, name, render }: LivePage): Topic {
  const topic = topics.get(key) ?? { name, render, viewers: new Set<Viewer>() };
  topics.set(key, topic);
  return topic;
}

/** A stream for one reader; `begin` returns what ends it. */
function streamFor(options: {
  readonly begin: (look: Pick<Viewer, "show" | "end">) => () => void;
}): ReadableStream<Uint8Array> {
  const text = new TextEncoder();
  let leave: () => void = () => undefined;
  return new ReadableStream<Uint8Array>({
    start(controller) {
      let isOver = false;
      const end = () => {
        if (isOver) return;
        leave();
        controller.close();
      };
      const show = (frame: Uint8Array) => {
        // Who takes nothing is cut off, and comes back for what is newest then.
        if ((controller.desiredSize ?? 0) < -mostBehind) end();
        else if (!isOver) controller.enqueue(frame);
      };
      controller.enqueue(text.encode(`retry: ${retryMs}\n\n`));
      const stop = options.begin({ show, end });
      const alive = setInterval(() => show(text.encode(": keep-alive\n\n")), keepAliveMs);
      const life = setTimeout(end, lifeMs);
      leave = () => {
        isOver = true;
        clearInterval(alive);
        clearTimeout(life);
        stop();
      };
    },
    cancel: () => leave(),
  });
}

/** Names what a page shows; what time says of itself, and to whom a form belongs, are no difference. */
export function contentId(html: string): string {
  const same = html
    .replaceAll(/(<time [^>]*>)[^<]*/g, "$1")
    .replaceAll(/(name="form_token" value=)"[^"]*"/g, "$1");
  return hash("sha256", same, "hex").slice(0, 24);
}

function frameOf(id: string, name: string, html: string): Uint8Array {
  const lines = `${name}\n${html}`.split(/\r\n|\r|\n/).map((line) => `data: ${line}`);
  return new TextEncoder().encode(`id: ${id}\nevent: page\n${lines.join("\n")}\n\n`);
}
