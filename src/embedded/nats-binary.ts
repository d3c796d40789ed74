import { homedir } from "node:os";
import { join } from "node:path";
import { BusError, messageOf } from "../errors.ts";
import { findOnPath, isExecutable, runCommand } from "./command.ts";
import { fetchDebianPackage } from "./nats-debian.ts";
import { fetchRelease } from "./nats-release.ts";

/** The oldest server whose `term` carries its reason. */
const oldestVersion = "2.10.4";

export type LocateOptions = {
  env: NodeJS.ProcessEnv;
  log: (line: string) => void;
  signal?: AbortSignal;
};

/**
 * The path of a nats-server that runs here: `NATS_SERVER_BIN`, the PATH, the cache folder, the
 * release archive, a Debian package, in this order. What is downloaded is kept in the cache folder.
 * Throws `unavailable` with what was tried.
 */
export async function locateNatsServer({ env, log, signal }: LocateOptions): Promise<string> {
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

  const cached = cachedBinary(env);
  if ((await isExecutable(cached)) && (await problemWith(cached)) === undefined) return cached;
  tried.push(`the cache ${cached} has none`);

  for (const fetchInto of [fetchRelease, fetchDebianPackage]) {
    try {
      await fetchInto({ target: cached, env, log, signal });
      const problem = await problemWith(cached);
      if (problem === undefined) return cached;
      tried.push(`the downloaded ${cached} ${problem}`);
    } catch (error) {
      signal?.throwIfAborted();
      log(messageOf(error));
      tried.push(messageOf(error));
    }
  }
  throw new BusError(
    "unavailable",
    `No nats-server found: install version ${oldestVersion} or newer from https://nats.io/download, on PATH or with NATS_SERVER_BIN naming the binary (tried: ${tried.join("; ")}).`,
  );
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

/** Where a downloaded binary is kept. */
export function cachedBinary(env: NodeJS.ProcessEnv, name = "nats-server"): string {
  const base = env["XDG_CACHE_HOME"] || join(env["HOME"] || homedir(), ".cache");
  return join(base, "experience-bus", `${process.platform}-${process.arch}`, name);
}
