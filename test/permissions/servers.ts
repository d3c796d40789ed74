import { rm } from "node:fs/promises";
import { inject } from "vitest";
import { isExecutable, runCommand } from "../../src/embedded/command.ts";
import { cachedBinary } from "../../src/embedded/nats-binary.ts";
import { fetchDebianPackage } from "../../src/embedded/nats-debian.ts";
import { messageOf } from "../../src/errors.ts";

/** The suite whose nats-server is a 2.10. */
const suite = "trixie";

/** What permissions are tested on: what each is called, and its binary; null: it cannot be had here. */
export async function serversToTest(): Promise<readonly (readonly [string, string | null])[]> {
  return [
    ["the newest nats-server", inject("natsBinary")],
    ["nats-server 2.10", await oldServer()],
  ];
}

/** Where tests must not be left out, as in CI, throws why there is none. */
async function oldServer(): Promise<string | null> {
  const target = cachedBinary(process.env, "nats-server-2.10");
  const isThere = async () =>
    (await isExecutable(target)) && /v2\.10\./.test(await version(target));
  if (await isThere()) return target;
  const log = (line: string) => console.error(line);
  try {
    await fetchDebianPackage({ target, env: process.env, log }, [suite]);
    if (await isThere()) return target;
    const found = await version(target);
    await rm(target, { force: true });
    throw new Error(`Debian ${suite} has ${found.trim()}`);
  } catch (error) {
    const text = `nats-server 2.10 cannot be had, and its tests are needed: ${messageOf(error)}`;
    if (process.env["CI"]) throw new Error(text, { cause: error });
    log(text);
    return null;
  }
}

const version = (file: string) => runCommand(file, ["--version"]);
