import { spawn } from "node:child_process";
import { readFile, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { expect } from "vitest";
import { startPostgres } from "../../src/embedded/postgres.ts";
import { insertRow, query, storedRow, test } from "./fixture.ts";

const isRoot = process.getuid?.() === 0;

test("it serves the database experience_bus in UTF-8, on the loopback interface only", async ({
  folder,
  cleanup,
}) => {
  const server = await startPostgres({ dataDir: folder });
  cleanup(server.stop);
  const [row] = await query(
    server.url,
    `select current_database() as name, current_setting('listen_addresses') as host,
            pg_encoding_to_char(encoding) as encoding
     from pg_database where datname = current_database()`,
  );
  expect(row).toEqual({ name: "experience_bus", host: "127.0.0.1", encoding: "UTF8" });
});

test("only who may read the data folder knows the password, and nobody gets in without", async ({
  folder,
  cleanup,
}) => {
  const server = await startPostgres({ dataDir: folder });
  cleanup(server.stop);
  expect((await stat(join(folder, "password"))).mode & 0o777).toBe(0o600);
  const guess = Object.assign(new URL(server.url), { password: "guess" });
  await expect(query(guess.href, "select 1")).rejects.toMatchObject({ code: "28P01" });
});

test("a row survives SIGKILL and a restart on the same data and port", async ({
  folder,
  cleanup,
}) => {
  const killed = await startPostgres({ dataDir: folder });
  cleanup(killed.stop);
  await insertRow(killed.url);
  process.kill(killed.pid, "SIGKILL");
  expect(await killed.exited).toEqual({ code: null, signal: "SIGKILL" });

  const restarted = await startPostgres({ dataDir: folder, port: killed.port });
  cleanup(restarted.stop);
  expect(restarted.url).toBe(killed.url);
  expect(await storedRow(restarted.url)).toBe("still here");
});

test("a row survives an immediate stop", async ({ folder, cleanup }) => {
  const first = await startPostgres({ dataDir: folder });
  cleanup(first.stop);
  await insertRow(first.url);
  await first.stop("immediate");
  const second = await startPostgres({ dataDir: folder });
  cleanup(second.stop);
  expect(await storedRow(second.url)).toBe("still here");
});

test("a pid file whose pid runs something else by now does not prevent the start", async ({
  folder,
  cleanup,
}) => {
  const killed = await startPostgres({ dataDir: folder });
  cleanup(killed.stop);
  process.kill(killed.pid, "SIGKILL");
  await killed.exited;
  const { uid, gid } = await stat(join(folder, "cluster"));
  const stranger = spawn("sleep", ["60"], isRoot ? { uid, gid, cwd: "/" } : {});
  cleanup(() => stranger.kill());
  const pidFile = join(folder, "cluster", "postmaster.pid");
  const text = await readFile(pidFile, "utf8");
  await writeFile(pidFile, text.replace(/^\d+/, `${stranger.pid}`));

  const restarted = await startPostgres({ dataDir: folder });
  cleanup(restarted.stop);
  expect(await query(restarted.url, "select 1 as one")).toMatchObject([{ one: 1 }]);
});

test("a port that is taken is refused in PostgreSQL's own words", async ({ folder, cleanup }) => {
  const holder = createServer();
  await new Promise<void>((done) => holder.listen(0, "127.0.0.1", done));
  cleanup(() => holder.close());
  const address = holder.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const start = startPostgres({ dataDir: folder, port });
  await expect(start).rejects.toMatchObject({ code: "unavailable" });
  await expect(start).rejects.toThrow(/PostgreSQL did not start \(exit code 1\).*already in use/s);
});

test.skipIf(!isRoot)(
  "started by root it runs as another user, in a folder that only root may enter",
  async ({ folder, cleanup }) => {
    expect((await stat(folder)).mode & 0o777).toBe(0o700);
    const dataDir = join(folder, "below", "postgres");
    const server = await startPostgres({ dataDir });
    cleanup(server.stop);
    const status = await readFile(`/proc/${server.pid}/status`, "utf8");
    expect(status).toMatch(/^Uid:\t[1-9]/m);
    expect((await stat(folder)).uid).toBe(0);
    await insertRow(server.url);
    expect(await storedRow(server.url)).toBe("still here");
  },
);
