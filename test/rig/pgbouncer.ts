import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { onTestFinished } from "vitest";
import { eventually } from "./eventually.ts";
import { freePort } from "./ports.ts";

/** Debian's package puts it where only administrators look. */
const path = `${process.env["PATH"]}:/usr/sbin`;
const binary = spawnSync("which", ["pgbouncer"], {
  env: { PATH: path },
  encoding: "utf8",
}).stdout.trim();

/** Not every machine has it; CI must. */
export const hasPgBouncer = binary !== "";
export const needsPgBouncer = "PgBouncer is needed: apt-get install pgbouncer";

export interface PgBouncer {
  /** Of a database that it pools. */
  url(databaseUrl: string): string;
  /** Drops its connections, in mid-transaction as well, and is there again at once. */
  restart(): Promise<void>;
}

/** A pooler in front of the run's PostgreSQL, until the test has finished. */
export async function startPgBouncer(
  server: string,
  mode: "session" | "transaction",
  more: Readonly<Record<string, string>> = {},
): Promise<PgBouncer> {
  const { hostname, port, username, password } = new URL(server);
  const listenPort = await freePort();
  const folder = mkdtempSync(join(tmpdir(), "experience-bus-pgbouncer-"));
  const settings = {
    listen_addr: "127.0.0.1",
    listen_port: String(listenPort),
    unix_socket_dir: "",
    auth_type: "any",
    pool_mode: mode,
    default_pool_size: "20",
    // It refuses to be root.
    ...(process.getuid?.() === 0 && { user: "nobody" }),
    ...more,
  };
  const file = join(folder, "pgbouncer.ini");
  const database = `* = host=${hostname} port=${port} user=${username} password=${decodeURIComponent(password)}`;
  const lines = Object.entries(settings).map(([name, value]) => `${name} = ${value}`);
  writeFileSync(file, ["[databases]", database, "[pgbouncer]", ...lines, ""].join("\n"));
  let running = await start(file, listenPort);
  onTestFinished(async () => {
    await kill(running);
    rmSync(folder, { recursive: true, force: true });
  });
  return {
    url(databaseUrl) {
      const url = new URL(databaseUrl);
      url.port = String(listenPort);
      return url.href;
    },
    async restart() {
      await kill(running);
      running = await start(file, listenPort);
    },
  };
}

async function start(file: string, port: number): Promise<ChildProcess> {
  // Where it was unpacked beside the machine its libraries are there, too.
  const libraries = ["x86_64", "aarch64"].map((cpu) =>
    join(dirname(binary), "../lib", `${cpu}-linux-gnu`),
  );
  const child = spawn(binary, [file], {
    env: { PATH: path, LD_LIBRARY_PATH: libraries.join(":") },
    stdio: ["ignore", "ignore", "pipe"],
  });
  let said = "";
  child.stderr?.setEncoding("utf8").on("data", (text) => {
    said += text;
  });
  await eventually(() => {
    if (child.exitCode !== null) throw new Error(`PgBouncer ended: ${said}`);
    return said.includes(`listening on 127.0.0.1:${port}`) && said.includes("process up");
  }, 10_000);
  return child;
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill("SIGKILL");
  await once(child, "exit");
}
