import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BusError, messageOf } from "../errors.ts";

const full = "make room there, or choose another folder";
const forbidden = "choose a folder that this user may write to";

/** What machines say no with, each with the way out; the text may be that of a program that was run. */
const obstacles: readonly (readonly [says: RegExp, remedy: string])[] = [
  [/ENOSPC|EDQUOT|No space left on device|Disk quota exceeded/, `the disk is full: ${full}`],
  [/EROFS|Read-only file system/, `the disk is read-only: ${forbidden}`],
  [/EACCES|EPERM|Permission denied/, `it is not permitted: ${forbidden}`],
  [/ENOTDIR/, `a part of that path is a file: ${forbidden}`],
  [
    /could not look up effective user ID/,
    "this user id has no name: run it as a user whom /etc/passwd knows, or set LEARNER_DATABASE_URL",
  ],
  [
    /error while loading shared libraries|version `GLIBC/,
    "this system lacks what the program needs: set LEARNER_DATABASE_URL and NATS_URL to servers of your own",
  ],
];

/** What went wrong, and the way out where the machine is what said no. */
export function withRemedy(error: unknown): string {
  const text = messageOf(error);
  const known = obstacles.find(([says]) => says.test(text));
  return known === undefined || text.includes(known[1]) ? text : `${text} (${known[1]})`;
}

/** A new folder among those for temporary files. Throws `unavailable`, naming TMPDIR where that is what is wrong. */
export async function makeTemporaryFolder(prefix: string): Promise<string> {
  const place = tmpdir();
  try {
    return await mkdtemp(join(place, prefix));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const why = code === "ENOENT" ? "it is not there" : withRemedy(error);
    const remedy = "make it, or set TMPDIR to a folder that this user may write to";
    const text = `${place}, where temporary files belong, cannot be used (${why}): ${remedy}`;
    throw new BusError("unavailable", text, { cause: error });
  }
}
