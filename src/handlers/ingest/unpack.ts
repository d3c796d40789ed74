import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import { BusError, messageOf } from "../../errors.ts";

/** Of a body, also after it is unpacked. */
export const mostBytes = 8 * 1_024 * 1_024;

const unzip = promisify(gunzip);

/** The body as it was before `Content-Encoding`. Unpacking ends at the limit, however much there is. */
export async function unpacked(body: Uint8Array, encoding: string | null): Promise<Uint8Array> {
  const name = (encoding ?? "").trim().toLowerCase();
  if (name === "" || name === "identity") return body;
  if (name !== "gzip" && name !== "x-gzip") {
    throw new BusError("unsupported_media_type", "send Content-Encoding: gzip, or none");
  }
  try {
    return await unzip(body, { maxOutputLength: mostBytes });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE") {
      throw new BusError("too_large", `the body has more than ${mostBytes} bytes, unpacked`);
    }
    throw new BusError("bad_request", `the body is no gzip: ${messageOf(error)}`, { cause: error });
  }
}
