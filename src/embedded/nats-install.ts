import { randomUUID } from "node:crypto";
import { chmod, copyFile, mkdir, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { makeTemporaryFolder } from "./obstacles.ts";

/** What a source of nats-server binaries is given: it puts one at `target`, or throws why not. */
export type FetchOptions = {
  target: string;
  env: NodeJS.ProcessEnv;
  log: (line: string) => void;
  signal?: AbortSignal | undefined;
};

/**
 * Puts an executable in its place in one step: two processes that install at once both end with a
 * whole file, and one that runs the old file keeps it.
 */
export async function installFile(source: string, target: string): Promise<void> {
  await mkdir(dirname(target), { recursive: true });
  const whole = `${target}.${randomUUID()}`;
  try {
    await copyFile(source, whole);
    await chmod(whole, 0o755);
    await rename(whole, target);
  } finally {
    await rm(whole, { force: true });
  }
}

/** Lends a private folder, and removes it whatever happens. */
export async function withScratchFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = await makeTemporaryFolder("experience-bus-nats-");
  try {
    await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
