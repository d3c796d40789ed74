import { readFile } from "node:fs/promises";
import { BusError, messageOf } from "../errors.ts";

/** The JSON that a file holds; rejects with `bad_request`, naming the file. */
export async function readJsonFile(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, "utf8"));
  } catch (error) {
    // What the parser says quotes the file.
    const why = error instanceof SyntaxError ? "it is not JSON" : messageOf(error);
    throw new BusError("bad_request", `cannot read ${path}: ${why}`, { cause: error });
  }
}
