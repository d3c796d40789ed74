import { BusError } from "../errors.ts";

export const maxBodyBytes = 4 * 1_024 * 1_024;
/** Slower than this is no client that anybody waits for. */
const bodyMs = 10_000;

/**
 * The body of a request, whatever it says about its length. Throws `too_large` as soon as there is more than
 * `most` bytes, and `request_timeout` when it has not come in time.
 */
export async function readBody(
  request: Request,
  most = maxBodyBytes,
  limitMs = bodyMs,
): Promise<Uint8Array> {
  const tooLarge = () => new BusError("too_large", `the body has more than ${most} bytes`);
  if (Number(request.headers.get("Content-Length") ?? 0) > most) throw tooLarge();
  if (request.body === null) return new Uint8Array();
  const reader = request.body.getReader();
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const text = `the body did not come within ${limitMs / 1_000} s`;
    timer = setTimeout(() => reject(new BusError("request_timeout", text)), limitMs);
  });
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  try {
    for (;;) {
      const { done, value } = await Promise.race([reader.read(), late]);
      if (done) return chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks);
      bytes += value.length;
      if (bytes > most) throw tooLarge();
      chunks.push(value);
    }
  } catch (error) {
    // Nobody reads the rest; that cancelling it fails, too, says nothing new.
    void reader.cancel().catch(() => undefined);
    throw error;
  } finally {
    clearTimeout(timer);
  }
}
