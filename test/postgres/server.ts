import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startPostgres } from "../../src/embedded/postgres.ts";
import type { DatabaseLog } from "../../src/postgres/client.ts";
import { freePort } from "../rig/ports.ts";

/** A PostgreSQL of the test's own, which it may stop, freeze and start again. */
export interface Server {
  readonly password: string;
  url(database?: string): string;
  /** SIGSTOP to the postmaster and all its processes: sockets stay open, nobody answers. */
  freeze(): void;
  thaw(): void;
  /** An immediate shutdown: what was not on disk is recovered from the log. */
  stop(): Promise<void>;
  start(): Promise<void>;
  /** Stops it and deletes its data. */
  remove(): Promise<void>;
}

export async function startServer(): Promise<Server> {
  const dataDir = mkdtempSync(join(tmpdir(), "experience-bus-db-"));
  const settings = { fsync: "off" };
  // It must still be free when the server is started again.
  const port = await freePort();
  let running = await startPostgres({ dataDir, port, settings });
  const { url } = running;
  const frozen: number[] = [];

  function freeze(): void {
    // The postmaster first, so that it cannot have further children.
    process.kill(running.pid, "SIGSTOP");
    const children = execFileSync("pgrep", ["-P", String(running.pid)]).toString();
    frozen.push(running.pid, ...children.trim().split("\n").map(Number));
    for (const pid of frozen) process.kill(pid, "SIGSTOP");
  }

  function thaw(): void {
    // The postmaster last: it would clear away children that have ended, and their numbers with them.
    for (const pid of frozen.splice(0).reverse()) process.kill(pid, "SIGCONT");
  }

  return {
    password: new URL(url).password,
    url: (database) => (database === undefined ? url : url.replace(/[^/]*$/, database)),
    freeze,
    thaw,
    stop: () => running.stop("immediate"),
    async start() {
      running = await startPostgres({ dataDir, port, settings });
    },
    async remove() {
      thaw();
      await running.stop("immediate");
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

/** Keeps what is said at level info and above as `level: sentence`. */
export function recordingLog(): { log: DatabaseLog; lines: string[] } {
  const lines: string[] = [];
  const at = (level: string) => (_: object, message: string) => {
    lines.push(`${level}: ${message}`);
  };
  return { log: { debug: () => undefined, info: at("info"), warn: at("warn") }, lines };
}
