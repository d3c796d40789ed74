import { type RunEvent, RunEventRow } from "./parts/run-event.tsx";

/**
 * The stream of a run's events (`handlers/runs/follow.ts`) with each event as a row of the page, and all of one type: browsers
 * hear only types that they know by name. A chunk has whole events.
 */
export function asRows(stream: ReadableStream<Uint8Array>): ReadableStream<Uint8Array> {
  const [decoder, encoder] = [new TextDecoder(), new TextEncoder()];
  return stream.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        const frames = decoder.decode(chunk, { stream: true }).split("\n\n");
        controller.enqueue(encoder.encode(frames.map(rowFrame).join("\n\n")));
      },
    }),
  );
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
