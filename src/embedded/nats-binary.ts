import { constants } from "node:fs";
import { access, mkdir } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { BusError, messageOf } from "../errors.ts";
import { findOnPath, isExecutable, runCommand } from "./command.ts";
import { fetchDebianPackage } from "./nats-debian.ts";
import { fetchRelease } from "./nats-release.ts";
import { withRemedy } from "./obstacles.ts";

/** The oldest server whose `term` carries its reason. */
const oldestVersion = "2.10.4";

export type LocateOptions = {
  env: NodeJS.ProcessEnv;
  log: (line: string) => void;
  signal?: AbortSignal;
  /** Where a downloaded binary is kept when the user's cache takes none. */
  ownFolder?: string;
};

/**
 * The path of a nats-server that runs here: `NATS_SERVER_BIN`, the PATH, the cache folder, the
 * release archive, a Debian package, in this order. What is downloaded is kept in the cache folder.
 * Throws `unavailable` with what was tried.
 */
export async function locateNatsServer(options: LocateOptions): Promise<string> {
  const { env, log } = options;
  const chosen = env["NATS_SERVER_BIN"];
  if (chosen !== undefined && chosen !== "") return chosenBinary(chosen);

  const tried: string[] = [];
  const onPath = await findOnPath("nats-server", env);
  if (onPath === undefined) tried.push("PATH has none");
  else {
    const problem = await problemWith(onPath);
    if (problem === undefined) return onPath;
    log(`${onPath} ${problem}, looking further`);
    tried.push(`${onPath} ${problem}`);
  }

  const places = keptAt(options);
  for (const kept of places) {
    if ((await isExecutable(kept)) && (await problemWith(kept)) === undefined) return kept;
    tried.push(`the cache ${kept} has none`);
  }

  const target = await firstWritable(places, log, tried);
  const fetched = target === null ? null : await fetchServer(target, options, tried);
  if (fetched !== null) return fetched;
  throw new BusError(
    "unavailable",
    `No nats-server found: install version ${oldestVersion} or newer from https://nats.io/download, on PATH or with NATS_SERVER_BIN naming the binary (tried: ${tried.join("; ")}).`,
  );
}

/** Null where it cannot be fetched, and `tried` says why. */
async function fetchServer(
  target: string,
  { env, log, signal }: LocateOptions,
  tried: string[],
): Promise<string | null> {
  for (const fetchInto of [fetchRelease, fetchDebianPackage]) {
    try {
      await fetchInto({ target, env, log, signal });
      const problem = await problemWith(target);
      if (problem === undefined) return target;
      tried.push(`the downloaded ${target} ${problem}`);
    } catch (error) {
      signal?.throwIfAborted();
      log(withRemedy(error));
      tried.push(withRemedy(error));
    }
  }
  return null;
}

async function chosenBinary(file: string): Promise<string> {
  if (!(await isExecutable(file))) {
    throw new BusError(
      "unavailable",
      `NATS_SERVER_BIN names ${file}, which is no executable file.`,
    );
  }
  const problem = await problemWith(file);
  if (problem !== undefined) {
    throw new BusError("unavailable", `NATS_SERVER_BIN names ${file}, which ${problem}.`);
  }
  return file;
}

/** Why this binary will not do, as the end of a sentence about it; undefined when it will. */
async function problemWith(file: string): Promise<string | undefined> {
  try {
    const version = parseVersion(await runCommand(file, ["--version"]));
    if (version === undefined) return "does not tell its version";
    if (isOlder(version, oldestVersion))
      return `is version ${version}, older than ${oldestVersion}`;
    return undefined;
  } catch (error) {
    return `does not run (${messageOf(error)})`;
  }
}

function parseVersion(printed: string): string | undefined {
  return /^nats-server: v(\d+\.\d+\.\d+)/m.exec(printed)?.[1];
}

function isOlder(version: string, than: string): boolean {
  return version.localeCompare(than, "en", { numeric: true }) < 0;
}

/** Where a downloaded binary may be kept, best first. */
function keptAt({ env, ownFolder }: LocateOptions): string[] {
  const own = ownFolder === undefined ? [] : [join(ownFolder, "bin", "nats-server")];
  return cacheFolder(env) === null ? own : [cachedBinary(env), ...own];
}

/** A download is long: that no place takes it is found out before. Null then, and `tried` says why. */
async function firstWritable(
  places: readonly string[],
  log: (line: string) => void,
  tried: string[],
): Promise<string | null> {
  for (const place of places) {
    try {
      await mkdir(dirname(place), { recursive: true });
      await access(dirname(place), constants.W_OK);
      if (place !== places[0]) log(`nats-server is kept in ${place}`);
      return place;
    } catch (error) {
      const refusal = `the cache cannot be used: ${withRemedy(error)}`;
      log(refusal);
      tried.push(refusal);
    }
  }
  if (places.length === 0) tried.push(noCache);
  return null;
}

const noCache =
  "there is no folder for a cache: set HOME or XDG_CACHE_HOME to one that this user may write to";

/** Null where there is none: a user without a home folder, whom the system may not even know by name. */
function cacheFolder(env: NodeJS.ProcessEnv): string | null {
  if (env["XDG_CACHE_HOME"]) return env["XDG_CACHE_HOME"];
  try {
    return join(env["HOME"] || homedir(), ".cache");
  } catch {
    return null;
  }
}

/** Where a downloaded binary is kept. Throws `unavailable` for a user who has no home folder. */
export function cachedBinary(env: NodeJS.ProcessEnv, name = "nats-server"): string {
  const base = cacheFolder(env);
  if (base === null) throw new BusError("unavailable", "there is no home folder: set HOME");
  return join(base, "experience-bus", `${process.platform}-${process.arch}`, name);
}
