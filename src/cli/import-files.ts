import { createReadStream, type Dirent } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { BusError, isRefusal, messageOf } from "../errors.ts";
import { isFields } from "../handlers/ingest/dialects/fields.ts";
import { type FileFormat, fileFormats } from "../handlers/ingest/formats.ts";
import { ignored, type Mapped } from "../handlers/ingest/mapped.ts";
import { textOf } from "./event-text.ts";
import { eventsIn } from "./events-in.ts";
import { printable } from "./table.ts";

export interface InputFile {
  readonly path: string;
  readonly bytes: number;
  /** Epoch ms. */
  readonly writtenAt: number;
}

/** The files that are named, and those below the folders that are named, in the order of their names. */
export async function filesAt(paths: readonly string[]): Promise<InputFile[]> {
  const found = await Promise.all(paths.map(filesBelow));
  const files = found.flat();
  if (files.length > 0) return files;
  throw new BusError(
    "bad_request",
    `no .json or .jsonl file below ${paths.map(printable).join(", ")}`,
  );
}

async function filesBelow(path: string): Promise<InputFile[]> {
  try {
    const { size, mtimeMs, isDirectory } = await statOf(path);
    if (!isDirectory) return [{ path, bytes: size, writtenAt: Math.floor(mtimeMs) }];
    const entries: Dirent[] = await readdir(path, { withFileTypes: true });
    const names = entries
      .filter((entry) => entry.isDirectory() || /\.jsonl?(?:\.gz)?$/.test(entry.name))
      .map(({ name }) => name)
      .sort();
    const below = await Promise.all(names.map((name) => filesBelow(join(path, name))));
    return below.flat();
  } catch (error) {
    if (error instanceof BusError) throw error;
    throw new BusError("bad_request", `cannot read ${printable(path)}: ${messageOf(error)}`);
  }
}

async function statOf(path: string) {
  const found = await stat(path);
  return { size: found.size, mtimeMs: found.mtimeMs, isDirectory: found.isDirectory() };
}

/** A line of a session may hold a file that was read. */
const longestLine = 32 * 1_024 * 1_024;

/** A record, and where it was. */
export interface FoundRecord {
  readonly file: string;
  readonly line: number;
  readonly mapped: Mapped;
}

/** What each record of a file means. A line that cannot be read is told, and the next one is read. */
export async function* recordsIn(
  file: InputFile,
  format: FileFormat,
  onBytes: (bytes: number) => void,
): AsyncGenerator<FoundRecord> {
  const reader = fileFormats[format]({ writtenAt: file.writtenAt });
  async function* counted(): AsyncGenerator<Uint8Array> {
    for await (const chunk of createReadStream(file.path)) {
      onBytes(chunk.length);
      yield chunk;
    }
  }
  for await (const { number, bytes } of eventsIn(textOf(counted()), longestLine)) {
    const value = bytes === null ? null : parsed(bytes);
    for (const mapped of readLine(value, (line) => reader.read(line))) {
      yield { file: file.path, line: number, mapped };
    }
  }
}

function readLine(
  value: unknown,
  read: (line: Readonly<Record<string, unknown>>) => readonly Mapped[],
): readonly Mapped[] {
  if (!isFields(value)) return [ignored("none", "unreadable")];
  try {
    return read(value);
  } catch (error) {
    if (isRefusal(error)) return [ignored("none", "unreadable")];
    throw error;
  }
}

/** Null where it is no JSON. */
function parsed(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}
