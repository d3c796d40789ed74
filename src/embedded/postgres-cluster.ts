import { randomBytes } from "node:crypto";
import { chown, mkdir, mkdtemp, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { BusError, messageOf } from "../errors.ts";
import { runCommand } from "./command.ts";
import { type Launch, type Owner, prepareLaunch, serverEnv, unprivilegedUser } from "./launch.ts";
import type { PostgresBinaries } from "./postgres-binaries.ts";

export type PostgresCluster = { folder: string; password: string; launch: Launch };

/**
 * The database cluster below `dataDir`, made on first use, with the password of its superuser
 * `postgres` beside it. PostgreSQL refuses to run as root, so for root it belongs to another user. Throws
 * `unavailable`.
 */
export async function openCluster(
  dataDir: string,
  binaries: PostgresBinaries,
): Promise<PostgresCluster> {
  try {
    return await prepareCluster(dataDir, binaries);
  } catch (error) {
    if (error instanceof BusError) throw error;
    throw new BusError("unavailable", `PostgreSQL cannot use ${dataDir}: ${messageOf(error)}`);
  }
}

async function prepareCluster(
  dataDir: string,
  binaries: PostgresBinaries,
): Promise<PostgresCluster> {
  const folder = join(dataDir, "cluster");
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  const owner = process.getuid?.() === 0 ? await ownerOf(folder) : undefined;
  if (owner !== undefined) await chown(dataDir, owner.uid, owner.gid);
  const launch = await prepareLaunch("INT", owner);
  const passwordFile = join(dataDir, "password");
  if (!(await exists(folder))) {
    await writePassword(passwordFile, owner);
    await initialise({ dataDir, folder, passwordFile, binaries, launch });
  }
  return { folder, password: await readFile(passwordFile, "utf8"), launch };
}

/** A cluster stays with the user that it was made for. */
async function ownerOf(folder: string): Promise<Owner> {
  if (await exists(folder)) return stat(folder);
  return unprivilegedUser();
}

async function writePassword(file: string, owner: Owner | undefined): Promise<void> {
  await rm(file, { force: true });
  await writeFile(file, randomBytes(24).toString("base64url"), { mode: 0o600, flag: "wx" });
  if (owner !== undefined) await chown(file, owner.uid, owner.gid);
}

/** initdb works in a folder beside, so that a cluster is there whole or not at all. */
async function initialise(options: {
  dataDir: string;
  folder: string;
  passwordFile: string;
  binaries: PostgresBinaries;
  launch: Launch;
}): Promise<void> {
  const { prefix, ...user } = options.launch;
  const scratch = await mkdtemp(join(options.dataDir, "initdb-"));
  const unfinished = join(scratch, "cluster");
  const [file = "", ...args] = [
    ...prefix,
    options.binaries.initdb,
    ...["--pgdata", unfinished, "--username", "postgres", "--pwfile", options.passwordFile],
    ...["--auth", "scram-sha-256", "--encoding", "UTF8", "--no-sync", "--no-instructions"],
    // One collation on every machine, whatever locales its libc has.
    ...["--locale", "C", "--locale-provider", "builtin", "--builtin-locale", "C.UTF-8"],
  ];
  try {
    if (process.getuid?.() === 0) {
      const { uid, gid } = await stat(options.dataDir);
      await chown(scratch, uid, gid);
    }
    await runCommand(file, args, { ...user, cwd: scratch, env: serverEnv, timeoutMs: 120_000 });
    await rename(unfinished, options.folder);
  } catch (error) {
    throw new BusError("unavailable", `PostgreSQL cannot be initialised: ${messageOf(error)}`);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
