import { fstatSync, writeSync } from "node:fs";

/** Where lines of the log go. Nothing that happens to them is thrown, and nothing waits for them. */
export interface LogOutput {
  /** One line, with its end. */
  write(line: string): void;
}

const standardStreams = { 1: "stdout", 2: "stderr" } as const;
/** Of a reader that has stopped reading, so much is kept; what comes on top is lost. */
const keptBytes = 1_048_576;

let lost = 0;

/** How many lines of this process could not be written. */
export function lostLogLines(): number {
  return lost;
}

/**
 * Of standard output or error. A file is written at once, a pipe by Node.js as its reader takes it. While there is no room
 * lines are lost; the first one that is written again is preceded by `lostLine`, which says how many were.
 */
export function openLogOutput(
  fd: keyof typeof standardStreams,
  lostLine: (count: number, why: string) => string,
): LogOutput {
  const put = isPipe(fd) ? pipeWriter(fd) : fileWriter(fd);
  let missing = 0;
  let why = "";
  return {
    write(line) {
      try {
        put(missing === 0 ? line : lostLine(missing, why) + line);
        missing = 0;
      } catch (error) {
        why = codeOf(error);
        missing += 1;
        lost += 1;
      }
    },
  };
}

/** Waits until what pipes have not taken yet has left the process, for so long at most. */
export async function flushLog(limitMs: number): Promise<void> {
  await Promise.all(([1, 2] as const).filter(isPipe).map((fd) => flush(fd, limitMs)));
}

async function flush(fd: keyof typeof standardStreams, limitMs: number): Promise<void> {
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, limitMs);
    process[standardStreams[fd]].write("", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

function isPipe(fd: number): boolean {
  try {
    const kind = fstatSync(fd);
    return kind.isFIFO() || kind.isSocket();
  } catch {
    // Closed: the next write reports it.
    return false;
  }
}

function pipeWriter(fd: keyof typeof standardStreams): (text: string) => void {
  const stream = process[standardStreams[fd]];
  let broken: Error | null = null;
  // The reader may go; that ends no service.
  stream.on("error", (error) => {
    broken = error;
  });
  return (text) => {
    if (broken !== null) throw broken;
    if (stream.writableLength > keptBytes) throw Object.assign(new Error(), { code: "EAGAIN" });
    stream.write(text);
  };
}

/** Throws where not all of it could be written. */
function fileWriter(fd: number): (text: string) => void {
  /** A part of a line is there, so the next one begins a new one. */
  let isCut = false;
  return (text) => {
    const bytes = Buffer.from(isCut ? `\n${text}` : text);
    let written = 0;
    try {
      while (written < bytes.length) written += writeSync(fd, bytes, written);
      isCut = false;
    } catch (error) {
      isCut ||= written > 0;
      throw error;
    }
  };
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : String(error);
}
