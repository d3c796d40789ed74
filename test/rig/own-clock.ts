import { existsSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { onTestFinished } from "vitest";

/** A wall clock for processes that are started with `env`: neither the machine's nor their monotonic clock changes. */
export interface OwnClock {
  readonly env: Readonly<Record<string, string>>;
  /** Hours before the machine's clock, from now on, also for processes that run. */
  setBack(hours: number): void;
  /** The same, after it. */
  setAhead(hours: number): void;
}

/** By libfaketime where there is one, which the whole process sees; else `Date` alone is another. */
export function ownClock(): OwnClock {
  const folder = mkdtempSync(join(tmpdir(), "experience-bus-clock-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, "offset");
  const write = (text: string) => {
    writeFileSync(`${file}.new`, text);
    renameSync(`${file}.new`, file);
  };
  write("+0");
  const library = libfaketime();
  return {
    env: library === null ? ofDate(folder, file) : ofLibrary(library, file),
    setBack: (hours) => write(`-${hours}h`),
    setAhead: (hours) => write(`+${hours}h`),
  };
}

/** From Debian's package, installed or unpacked beside a folder of `PATH`. */
function libfaketime(): string | null {
  for (const folder of (process.env["PATH"] ?? "").split(delimiter)) {
    const libraries = join(folder, "..", "lib");
    const names = existsSync(libraries) ? readdirSync(libraries) : [];
    for (const name of names) {
      const file = join(libraries, name, "faketime", "libfaketime.so.1");
      if (existsSync(file)) return file;
    }
  }
  return null;
}

function ofLibrary(library: string, file: string): Record<string, string> {
  return {
    ...{ LD_PRELOAD: library, FAKETIME_TIMESTAMP_FILE: file, FAKETIME_NO_CACHE: "1" },
    ...{ FAKETIME_DONT_FAKE_MONOTONIC: "1", DONT_FAKE_MONOTONIC: "1" },
  };
}

/** Loaded before the program. */
const shiftedDate = `
import { readFileSync } from "node:fs";
const Real = Date;
const hours = () => Number(/^([+-]\\d+)h/.exec(readFileSync(process.env.CLOCK_FILE, "utf8"))?.[1] ?? 0);
const now = () => Real.now() + hours() * 3_600_000;
globalThis.Date = class extends Real {
  constructor(...given) {
    if (given.length === 0) super(now());
    else super(...given);
  }
  static now() {
    return now();
  }
};
`;

function ofDate(folder: string, file: string): Record<string, string> {
  const program = join(folder, "shifted-date.mjs");
  writeFileSync(program, shiftedDate);
  return { NODE_OPTIONS: `--import=${program}`, CLOCK_FILE: file };
}
