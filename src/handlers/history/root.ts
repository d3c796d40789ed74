import { createHash } from "node:crypto";

/** Of people's making, in a review, and not of the stream's. */
export const reviewedType = "reviewed";

/**
 * The root of a set of lessons and sightings: lower-case hex SHA-256 over UTF-8 lines, each ended by one line feed (0x0A):
 * first `lesson <lesson key>` for each lesson, ascending by key, then `sighting <lesson key> <window start>` for each
 * sighting, ascending by key, then by window start, which is in epoch milliseconds, in decimal. Keys are 64
 * lower-case hex digits and compare byte by byte. Lessons that people made in a review are left out: they are not of the stream.
 */
export function createRoot() {
  const hash = createHash("sha256");
  const count = { lessons: 0, sightings: 0 };
  return {
    lesson(key: string): void {
      count.lessons += 1;
      hash.update(`lesson ${key}\n`);
    },
    sighting(key: string, windowStart: number | string): void {
      count.sightings += 1;
      hash.update(`sighting ${key} ${windowStart}\n`);
    },
    /** Once, at the end. */
    finish: () => ({ root: hash.digest("hex"), ...count }),
  };
}

export interface Root {
  readonly root: string;
  readonly lessons: number;
  readonly sightings: number;
}
