import { createHash } from "node:crypto";
import { mkdir, realpath } from "node:fs/promises";
import { createServer } from "node:net";
import { BusError } from "../errors.ts";

export type FolderLock = { release(): Promise<void> };

/**
 * Takes a folder for this process, and makes it if need be. Throws `conflict` naming the folder when
 * another process has it.
 *
 * The lock is a socket in Linux's abstract namespace, named after the folder: the kernel gives a name
 * to one process only and frees it with the process, however that ends, so there is nothing stale to
 * judge. Elsewhere PostgreSQL's own lock file has to do.
 */
export async function lockFolder(folder: string): Promise<FolderLock> {
  await mkdir(folder, { recursive: true });
  if (process.platform !== "linux") return { release: async () => undefined };

  const id = createHash("sha256")
    .update(await realpath(folder))
    .digest("hex");
  const socket = createServer((stranger) => stranger.destroy());
  await new Promise<void>((done, fail) => {
    socket.once("error", (error: NodeJS.ErrnoException) => {
      const taken = `${folder} is in use: another process runs its servers there`;
      fail(error.code === "EADDRINUSE" ? new BusError("conflict", taken) : error);
    });
    socket.listen(`\0experience-bus-${id}`, done);
  });
  return { release: () => new Promise((done) => socket.close(() => done())) };
}
