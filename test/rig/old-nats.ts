import { rm } from "node:fs/promises";
import { isExecutable, runCommand } from "../../src/embedded/command.ts";
import { cachedBinary } from "../../src/embedded/nats-binary.ts";
import { fetchDebianPackage } from "../../src/embedded/nats-debian.ts";
import { messageOf } from "../../src/errors.ts";

/** Which Debian has which; all of them run on the oldest. */
const suites = { "2.9": "bookworm", "2.10": "trixie" } as const;

/**
 * The binary of a nats-server of this older release, from the cache or from Debian. Null where it cannot
 * be had; where tests must not be left out, as in CI, throws why.
 */
export async function oldNatsServer(release: keyof typeof suites): Promise<string | null> {
  const target = cachedBinary(process.env, `nats-server-${release}`);
  const isThere = async () =>
    (await isExecutable(target)) && (await version(target)).includes(`v${release}.`);
  if (await isThere()) return target;
  const log = (line: string) => console.error(line);
  const suite = suites[release];
  try {
    await fetchDebianPackage({ target, env: process.env, log }, [suite]);
    if (await isThere()) return target;
    const found = await version(target);
    await rm(target, { force: true });
    throw new Error(`Debian ${suite} has ${found.trim()}`);
  } catch (error) {
    const text = `nats-server ${release} cannot be had, and its tests are needed: ${messageOf(error)}`;
    if (process.env["CI"]) throw new Error(text, { cause: error });
    log(text);
    return null;
  }
}

const version = (file: string) => runCommand(file, ["--version"]);
