import { Readable } from "node:stream";
import type { ReadableStream } from "node:stream/web";
import { BusError } from "../errors.ts";

export const maxBodyBytes = 4 * 1_024 * 1_024;
/** Slower than this is no client that anybody waits for. */
const bodyMs = 10_000;

/** As `readStream`, of a request as browsers' interfaces have it. */
export async function readBody(
  request: Request,
  most = maxBodyBytes,
  limitMs = bodyMs,
): Promise<Uint8Array> {
  const { headers, body } = request;
  const stream = body === null ? Readable.from([]) : Readable.fromWeb(body as ReadableStream);
  return await readStream(stream, headers.get("Content-Length"), most, limitMs);
}

/**
 * All that comes. Rejects with `too_large` as soon as there is more than `most` bytes, or where `declared`, its
 * Content-Length, says so; with `request_timeout` when it has not come in time, and with `bad_request` where it breaks off.
 */
export async function readStream(
  stream: Readable,
  declared: string | null | undefined,
  most = maxBodyBytes,
  limitMs = bodyMs,
): Promise<Uint8Array> {
  if (Number(declared ?? 0) > most) throw tooLarge(most);
  return await new Promise((resolve, reject) => {
    const chunks: Uint8Array[] = [];
    let bytes = 0;
    const stop = () => {
      clearTimeout(timer);
      stream.off("data", take).off("end", end).off("close", broken);
    };
    const refuse = (error: BusError) => {
      stop();
      // Whoever serves the connection decides what becomes of the rest.
      stream.pause();
      reject(error);
    };
    const take = (chunk: Uint8Array) => {
      bytes += chunk.length;
      if (bytes > most) refuse(tooLarge(most));
      else chunks.push(chunk);
    };
    const end = () => {
      stop();
      resolve(chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks));
    };
    const broken = () => refuse(new BusError("bad_request", "the body broke off"));
    const late = () => {
      const text = `the body did not come within ${limitMs / 1_000} s`;
      refuse(new BusError("request_timeout", text));
    };
    const timer = setTimeout(late, limitMs);
    // That it failed is told by its end, too, and a listener must be there for as long as it is.
    stream.on("error", () => undefined);
    stream.on("data", take).on("end", end).on("close", broken);
    if (stream.destroyed) broken();
  });
}

const tooLarge = (most: number) =>
  new BusError("too_large", `the body has more than ${most} bytes`);
