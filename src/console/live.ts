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

type Hear = (frame: Uint8Array) => void;

interface Topic {
  readonly render: () => Promise<string>;
  readonly hearers: Set<Hear>;
  id: string;
  frame: Uint8Array | null;
}

const everyMs = 700;
/** Of its time, rendering gets less than a part of so many. */
const restFactor = 15;
const keepAliveMs = 20_000;
const lifeMs = 5 * 60_000;
const retryMs = 1_000;

export function openLivePages(log: Logger): LivePages {
  const topics = new Map<string, Topic>();
  let isTurning = false;

  /** As long as somebody looks; one page after the other, so that it never takes more than one place in line. */
  async function turn(): Promise<void> {
    if (isTurning) return;
    isTurning = true;
    while (topics.size > 0) {
      const startedAt = performance.now();
      for (const topic of topics.values()) await renderTopic(topic);
      const spent = performance.now() - startedAt;
      await new Promise((resolve) => setTimeout(resolve, Math.max(everyMs, spent * restFactor)));
    }
    isTurning = false;
  }

  async function renderTopic(topic: Topic): Promise<void> {
    let html: string;
    try {
      html = await topic.render();
    } catch (error) {
      // In an outage what is shown stays; the next turn tries again.
      if (!isOutage(error)) log.warn({ err: error }, "an open page of the console cannot be shown");
      return;
    }
    const id = idOf(html);
    if (id === topic.id) return;
    topic.id = id;
    topic.frame = frameOf(id, html);
    for (const hear of topic.hearers) hear(topic.frame);
  }

  return {
    follow({ key, render }, seen) {
      const topic = topics.get(key) ?? { render, hearers: new Set<Hear>(), id: "", frame: null };
      topics.set(key, topic);
      void turn();
      return streamOf(topic, seen, () => {
        if (topic.hearers.size === 0) topics.delete(key);
      });
    },
  };
}

function streamOf(
  topic: Topic,
  seen: string | null,
  onEnd: () => void,
): ReadableStream<Uint8Array> {
  const text = new TextEncoder();
  let leave: () => void = () => undefined;
  return new ReadableStream<Uint8Array>({
    start(controller) {
      const hear: Hear = (frame) => {
        // Who takes nothing is cut off, and comes back for what is newest then.
        if ((controller.desiredSize ?? 0) < -mostBehind) end();
        else controller.enqueue(frame);
      };
      const end = () => {
        leave();
        controller.close();
      };
      const alive = setInterval(() => hear(text.encode(": keep-alive\n\n")), keepAliveMs);
      const life = setTimeout(end, lifeMs);
      leave = () => {
        clearInterval(alive);
        clearTimeout(life);
        topic.hearers.delete(hear);
        onEnd();
      };
      topic.hearers.add(hear);
      controller.enqueue(text.encode(`retry: ${retryMs}\n\n`));
      if (topic.frame !== null && topic.id !== seen) hear(topic.frame);
    },
    cancel: () => leave(),
  });
}

const mostBehind = 8;

/** What time says of itself is no news: pages see to that. */
function idOf(html: string): string {
  return hash("sha256", html.replaceAll(/(<time [^>]*>)[^<]*/g, "$1"), "hex").slice(0, 24);
}

function frameOf(id: string, html: string): Uint8Array {
  const lines = html.split(/\r\n|\r|\n/).map((line) => `data: ${line}`);
  return new TextEncoder().encode(`id: ${id}\nevent: page\n${lines.join("\n")}\n\n`);
}
