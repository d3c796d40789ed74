import { hash } from "node:crypto";
import { isOutage } from "../errors.ts";
import type { Logger } from "../log.ts";

/** Pages that are open, rendered once for all who look at the same. */
export interface LivePages {
  /**
   * Server-sent events, each the content of a page, whenever it differs from what was sent before; `seen` is the id of the
   * last one. Ends after some minutes: whoever comes back shows again who it is.
   */
  follow(page: LivePage, seen: string | null): ReadableStream<Uint8Array>;
}

export interface LivePage {
  /** What is the same for all who see the same. */
  readonly key: string;
  /** The content, as HTML. */
  readonly render: () => Promise<string>;
}

/** Somebody who looks at a page. */
interface Viewer {
  /** What is on the page now. */
  seen: string | null;
  readonly show: (frame: Uint8Array) => void;
}

interface Topic {
  readonly render: () => Promise<string>;
  readonly viewers: Set<Viewer>;
}

const everyMs = 700;
/** Of its time, rendering gets less than a part of so many. */
const restFactor = 15;
const keepAliveMs = 20_000;
const lifeMs = 5 * 60_000;
const retryMs = 1_000;
const mostBehind = 8;

export function openLivePages(log: Logger): LivePages {
  const topics = new Map<string, Topic>();
  let isTurning = false;

  /** As long as somebody looks; one page after the other, so that it never takes more than one place in line. */
  async function turn(): Promise<void> {
    if (isTurning) return;
    isTurning = true;
    while (topics.size > 0) {
      const startedAt = performance.now();
      for (const topic of topics.values()) await update(topic);
      const spent = performance.now() - startedAt;
      await new Promise((resolve) => setTimeout(resolve, Math.max(everyMs, spent * restFactor)));
    }
    isTurning = false;
  }

  async function update({ render, viewers }: Topic): Promise<void> {
    // Whoever comes while it is rendered may have something newer.
    const waiting = [...viewers];
    let html: string;
    try {
      html = await render();
    } catch (error) {
      // In an outage what is shown stays; the next turn tries again.
      if (!isOutage(error)) log.warn({ err: error }, "an open page of the console cannot be shown");
      return;
    }
    const id = contentId(html);
    const behind = waiting.filter((viewer) => viewer.seen !== id && viewers.has(viewer));
    if (behind.length === 0) return;
    const frame = frameOf(id, html);
    for (const viewer of behind) {
      viewer.seen = id;
      viewer.show(frame);
    }
  }

  return {
    follow({ key, render }, seen) {
      const topic = topics.get(key) ?? { render, viewers: new Set<Viewer>() };
      topics.set(key, topic);
      void turn();
      return streamOf(topic, seen, () => {
        if (topic.viewers.size === 0) topics.delete(key);
      });
    },
  };
}

function streamOf(
  { viewers }: Topic,
  seen: string | null,
  onEnd: () => void,
): ReadableStream<Uint8Array> {
  const text = new TextEncoder();
  let leave: () => void = () => undefined;
  return new ReadableStream<Uint8Array>({
    start(controller) {
      const show = (frame: Uint8Array) => {
        // Who takes nothing is cut off, and comes back for what is newest then.
        if ((controller.desiredSize ?? 0) < -mostBehind) end();
        else controller.enqueue(frame);
      };
      const viewer: Viewer = { seen, show };
      const end = () => {
        leave();
        controller.close();
      };
      const alive = setInterval(() => show(text.encode(": keep-alive\n\n")), keepAliveMs);
      const life = setTimeout(end, lifeMs);
      leave = () => {
        clearInterval(alive);
        clearTimeout(life);
        viewers.delete(viewer);
        onEnd();
      };
      viewers.add(viewer);
      controller.enqueue(text.encode(`retry: ${retryMs}\n\n`));
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

function frameOf(id: string, html: string): Uint8Array {
  const lines = html.split(/\r\n|\r|\n/).map((line) => `data: ${line}`);
  return new TextEncoder().encode(`id: ${id}\nevent: page\n${lines.join("\n")}\n\n`);
}
