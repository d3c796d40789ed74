import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { messageOf } from "../errors.ts";
import {
  type AptSource,
  debianMirrors,
  parseDeb822Sources,
  parseOneLineSources,
  sourcesFile,
} from "./apt-sources.ts";
import { findOnPath, isExecutable, runCommand } from "./command.ts";
import { type FetchOptions, installFile, withScratchFolder } from "./nats-install.ts";

/** Newer than what a stable Debian carries; the binary is static enough to run on Debian 12. */
const newestSuites = ["forky", "sid"];
const maxMirrors = 3;

/**
 * Installs the `nats-server` package of the first of these Debian suites that has one, the newest unless
 * others are named, from the mirror this machine already uses. It needs no root and leaves the machine's own
 * package lists as they are. Throws why it cannot.
 */
export async function fetchDebianPackage(
  { target, env, log, signal }: FetchOptions,
  suites: readonly string[] = newestSuites,
): Promise<void> {
  for (const tool of ["apt-get", "dpkg-deb"]) {
    if ((await findOnPath(tool, env)) === undefined) throw new Error(`there is no ${tool}`);
  }
  const mirrors = debianMirrors(await configuredSources(env)).slice(0, maxMirrors);
  const refusals: string[] = [];
  for (const suite of suites) {
    for (const mirror of mirrors) {
      log(`downloading the nats-server package of Debian ${suite}`);
      try {
        return await withScratchFolder(async (folder) => {
          await downloadPackage({ folder, mirror, suite, env, signal });
          await installFile(await unpackedBinary(folder, env, signal), target);
        });
      } catch (error) {
        signal?.throwIfAborted();
        refusals.push(`${suite}: ${messageOf(error)}`);
      }
    }
  }
  throw new Error(
    refusals.length === 0
      ? "apt has no Debian mirror configured"
      : `apt-get has no nats-server package (${refusals.join("; ")})`,
  );
}

/** Every archive that apt is configured with on this machine. */
async function configuredSources(env: NodeJS.ProcessEnv): Promise<AptSource[]> {
  const places = ["LIST", "Dir::Etc::sourcelist/f", "PARTS", "Dir::Etc::sourceparts/d"];
  const answer = await runCommand("apt-config", ["shell", ...places], { env });
  const list = /^LIST='(.*)'$/m.exec(answer)?.[1] ?? "";
  const folder = /^PARTS='(.*)'$/m.exec(answer)?.[1] ?? "";
  const parts = await readdir(folder).catch(() => []);

  const sources: AptSource[] = [];
  for (const file of [list, ...parts.sort().map((part) => join(folder, part))]) {
    if (!/\.(list|sources)$/.test(file)) continue;
    const parse = file.endsWith(".sources") ? parseDeb822Sources : parseOneLineSources;
    sources.push(...parse(await readFile(file, "utf8").catch(() => "")));
  }
  return sources;
}

async function downloadPackage(options: {
  folder: string;
  mirror: AptSource;
  suite: string;
  env: NodeJS.ProcessEnv;
  signal: AbortSignal | undefined;
}): Promise<void> {
  const { folder, mirror, suite, env, signal } = options;
  await mkdir(join(folder, "state", "lists", "partial"), { recursive: true });
  await mkdir(join(folder, "cache", "archives", "partial"), { recursive: true });
  await writeFile(join(folder, "status"), "");
  await writeFile(join(folder, "mirror.sources"), sourcesFile(mirror, suite));
  const settings = [
    `Dir::State=${join(folder, "state")}`,
    `Dir::State::status=${join(folder, "status")}`,
    `Dir::Cache=${join(folder, "cache")}`,
    `Dir::Etc::sourcelist=${join(folder, "mirror.sources")}`,
    "Dir::Etc::sourceparts=/dev/null",
    "Acquire::Languages=none",
    "Acquire::http::Timeout=10",
    "Acquire::https::Timeout=10",
    "APT::Update::Error-Mode=any",
    // As root apt would download as another user, who may not write in our private folder.
    ...(process.getuid?.() === 0 ? ["APT::Sandbox::User=root"] : []),
  ].flatMap((setting) => ["-o", setting]);
  const run = (...args: string[]) =>
    runCommand("apt-get", ["-q", ...settings, ...args], {
      cwd: folder,
      env: { ...env, LC_ALL: "C" },
      timeoutMs: 120_000,
      signal,
    });
  await run("update");
  await run("download", "nats-server");
}

async function unpackedBinary(
  folder: string,
  env: NodeJS.ProcessEnv,
  signal: AbortSignal | undefined,
): Promise<string> {
  const archive = (await readdir(folder)).find((name) => name.endsWith(".deb"));
  if (archive === undefined) throw new Error("the download left no package");
  const root = join(folder, "root");
  await runCommand("dpkg-deb", ["-x", join(folder, archive), root], { env, signal });
  for (const place of ["usr/sbin/nats-server", "usr/bin/nats-server"]) {
    if (await isExecutable(join(root, place))) return join(root, place);
  }
  throw new Error(`${archive} holds no nats-server`);
}
