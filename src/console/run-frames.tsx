import { lifeMs } from "./live.ts";
import { type RunEvent, RunEventRow } from "./parts/run-event.tsx";

/**
 * The stream of a run's events (`handlers/runs/follow.ts`) with each event as a row of the page, and all of one type: browsers
 * hear only types that they know by name. A chunk has whole events. Ends after `lifeMs`: whoever comes back shows again who it
 * is, and goes on after the last event that arrived.
 */
export function asRows(stream: ReadableStream<Uint8Array>): ReadableStream<Uint8Array> {
  const [decoder, encoder] = [new TextDecoder(), new TextEncoder()];
  let life: NodeJS.Timeout | undefined;
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>({
    start(controller) {
      life = setTimeout(() => controller.terminate(), lifeMs);
    },
    transform(chunk, controller) {
      const frames = decoder.decode(chunk, { stream: true }).split("\n\n");
      controller.enqueue(encoder.encode(frames.map(rowFrame).join("\n\n")));
    },
  });
  // Its reader hears of an error by the rows; that it has left or is ended is none.
  void stream
    .pipeTo(writable)
    .catch(() => undefined)
    .finally(() => clearTimeout(life));
  return readable;
}

/** What is no event stays as it is: a comment, or how soon to come back. */
function rowFrame(frame: string): string {
  const [, id, data] = /^id: (\d+)\nevent: [^\n]*\ndata: ([^\n]*)$/.exec(frame) ?? [];
  if (id === undefined || data === undefined) return frame;
  const event = JSON.parse(data) as RunEvent;
  const row = String(<RunEventRow event={event} now={Date.now()} />);
  const lines = row.split(/\r\n|\r|\n/).map((line) => `data: ${line}`);
  return `id: ${id}\n${lines.join("\n")}`;
}
