import { BusClientError, type Connection, refusalOf } from "./ask.ts";
import type { RunEvent } from "./types.ts";

const [firstPauseMs, longestPauseMs] = [250, 10_000];

/** Events of a run, over as many connections as it takes. */
export async function* follow(
  { url, fetch, headers }: Connection,
  runId: string,
  { after, signal }: { readonly after?: number; readonly signal?: AbortSignal },
): AsyncGenerator<RunEvent, void, undefined> {
  let cursor = after;
  let pauseMs = firstPauseMs;
  while (!signal?.aborted) {
    try {
      const response = await fetch(`${url}/runs/${encodeURIComponent(runId)}/events`, {
        headers: { ...headers, ...(cursor !== undefined && { "Last-Event-ID": String(cursor) }) },
        ...(signal && { signal }),
      });
      // The run is over, and all of it has been told.
      if (response.status === 204) return;
      if (!response.ok || response.body === null) throw await refusalOf(response);
      for await (const data of dataOf(response.body)) {
        const event = JSON.parse(data) as RunEvent;
        cursor = event.cursor;
        pauseMs = firstPauseMs;
        yield event;
      }
    } catch (thrown) {
      if (signal?.aborted) return;
      const error = BusClientError.of(thrown);
      if (!error.isPassing) throw error;
    }
    await pause(pauseMs, signal);
    pauseMs = Math.min(longestPauseMs, 2 * pauseMs);
  }
}

/** The data of each event of a stream (WHATWG HTML, section 9.2.6); the service writes it in one line. */
async function* dataOf(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const reader = body.getReader();
  const text = new TextDecoder();
  let rest = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const blocks = (rest + text.decode(value, { stream: true })).split("\n\n");
      rest = blocks.pop() ?? "";
      for (const block of blocks) {
        const line = block.split("\n").find((one) => one.startsWith("data:"));
        if (line !== undefined) yield line.slice(5);
      }
    }
  } finally {
    // A caller that stops listening ends the connection.
    await reader.cancel().catch(() => undefined);
  }
}

function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, ms);
    signal?.addEventListener("abort", done, { once: true });
    function done() {
      clearTimeout(timer);
      signal?.removeEventListener("abort", done);
      resolve();
    }
  });
}
