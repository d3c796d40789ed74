import type { Mapped } from "../mapped.ts";
import type { Fields } from "./fields.ts";

/** What is known of a file before its first line. */
export interface SessionFile {
  /** Epoch ms, for formats without times: when the file was last written. */
  readonly writtenAt: number;
}

/**
 * Reads the lines of one session's file, in their order. A call and its result are two lines, which their id joins: what
 * an event says is a function of those two and of the head of the file.
 */
export interface SessionReader {
  read(line: Fields): readonly Mapped[];
}

/** Calls that wait for their result; a file with more of them at once is none of a session. */
const mostCalls = 10_000;

export function openCalls<T>() {
  const calls = new Map<string, T>();
  return {
    set(id: string, call: T): void {
      if (calls.size < mostCalls) calls.set(id, call);
    },
    /** What is called that, once. */
    take(id: string): T | undefined {
      const call = calls.get(id);
      calls.delete(id);
      return call;
    },
  };
}
