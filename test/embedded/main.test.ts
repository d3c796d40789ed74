import { open, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, vi } from "vitest";
import { freePort } from "../rig/ports.ts";
import {
  answers,
  insertRow,
  isRunning,
  publishMessage,
  query,
  storedMessage,
  storedRow,
  test,
  until,
} from "./fixture.ts";
import { runProgram, serverPids } from "./program.ts";

/** Processes and servers are started, several in some tests. */
vi.setConfig({ testTimeout: 90_000 });

test("it prints one line of JSON when both servers are ready, and ends with SIGTERM", async ({
  cleanup,
}) => {
  const program = runProgram([]);
  cleanup(() => program.child.kill("SIGKILL"));
  const urls = await program.ready();
  expect(Object.keys(urls)).toEqual(["nats_url", "database_url", "nats_monitor_url"]);
  expect(await answers(urls.nats_url)).toBe(true);
  expect(await query(urls.database_url, "select 1 as one")).toMatchObject([{ one: 1 }]);
  expect((await fetch(`${urls.nats_monitor_url}/healthz`)).ok).toBe(true);

  program.child.kill("SIGTERM");
  expect(await program.ended).toBe(0);
  expect(program.printed.stdout).toBe(`${JSON.stringify(urls)}\n`);
  expect(await answers(urls.nats_url)).toBe(false);
});

test("without --data nothing is left behind", async ({ folder, cleanup }) => {
  const program = runProgram([], "pipe", { ...process.env, TMPDIR: folder });
  cleanup(() => program.child.kill("SIGKILL"));
  await program.ready();
  const ours = async () => (await readdir(folder)).filter((name) => /^experience-bus/.test(name));
  expect(await ours()).toHaveLength(1);
  program.child.kill("SIGINT");
  expect(await program.ended).toBe(0);
  expect(await ours()).toEqual([]);
});

test("it stops when its standard input ends", async ({ folder, cleanup }) => {
  const program = runProgram(["--data", folder]);
  cleanup(() => program.child.kill("SIGKILL"));
  await program.ready();
  const { nats, postgres } = await serverPids(folder);
  program.child.stdin?.end();
  expect(await program.ended).toBe(0);
  expect([isRunning(nats), isRunning(postgres)]).toEqual([false, false]);
});

test("standard input that ends during the start stops it, and nothing is printed", async ({
  folder,
  cleanup,
}) => {
  const program = runProgram(["--data", folder]);
  cleanup(() => program.child.kill("SIGKILL"));
  program.child.stdin?.end();
  expect(await program.ended).toBe(0);
  expect(program.printed.stdout).toBe("");
});

test("with /dev/null as standard input it keeps running", async ({ folder, cleanup }) => {
  const program = runProgram(["--data", folder], "ignore");
  cleanup(() => program.child.kill("SIGKILL"));
  const urls = await program.ready();
  expect(await answers(urls.nats_url)).toBe(true);
  program.child.kill("SIGTERM");
  expect(await program.ended).toBe(0);
});

test("with a file as standard input it keeps running", async ({ folder, cleanup }) => {
  await writeFile(join(folder, "input"), "some lines\n");
  const input = await open(join(folder, "input"));
  cleanup(() => input.close());
  const program = runProgram(["--data", join(folder, "data")], input.fd);
  cleanup(() => program.child.kill("SIGKILL"));
  const urls = await program.ready();
  expect(await answers(urls.nats_url)).toBe(true);
  program.child.kill("SIGTERM");
  expect(await program.ended).toBe(0);
});

test("a server that dies by itself is named, and the other one is stopped", async ({
  folder,
  cleanup,
}) => {
  const program = runProgram(["--data", folder]);
  cleanup(() => program.child.kill("SIGKILL"));
  await program.ready();
  const { nats, postgres } = await serverPids(folder);
  process.kill(nats, "SIGKILL");
  expect(await program.ended).toBe(1);
  expect(program.printed.stderr).toContain("nats-server stopped by itself (ended by SIGKILL):");
  expect(program.printed.stderr).toContain("Server is ready");
  expect(isRunning(postgres)).toBe(false);
});

test("a second run on the same folder is refused by name", async ({ folder, cleanup }) => {
  const first = runProgram(["--data", folder]);
  cleanup(() => first.child.kill("SIGTERM") && first.ended);
  const urls = await first.ready();
  const second = runProgram(["--data", folder]);
  expect(await second.ended).toBe(1);
  expect(second.printed.stderr).toContain(
    `${folder} is in use: another process runs its servers there`,
  );
  expect(await answers(urls.nats_url)).toBe(true);
});

test("after SIGKILL the next run takes over the folder with all that was stored", async ({
  folder,
  cleanup,
}) => {
  const killed = runProgram(["--data", folder]);
  const before = await killed.ready();
  await publishMessage(before.nats_url);
  await insertRow(before.database_url);
  killed.child.kill("SIGKILL");
  await killed.ended;

  const next = runProgram(["--data", folder]);
  cleanup(() => next.child.kill("SIGTERM") && next.ended);
  const after = await next.ready();
  expect(await storedMessage(after.nats_url)).toBe("still here");
  expect(await storedRow(after.database_url)).toBe("still here");
});

test("a second signal ends it at once, while a server still hangs", async ({ folder, cleanup }) => {
  const program = runProgram(["--data", folder]);
  cleanup(() => program.child.kill("SIGKILL"));
  await program.ready();
  const { postgres } = await serverPids(folder);
  process.kill(postgres, "SIGSTOP");
  cleanup(() => isRunning(postgres) && process.kill(postgres, "SIGKILL"));
  await until("the second signal is heeded", () => {
    program.child.kill("SIGINT");
    return program.child.exitCode !== null;
  });
  expect(await program.ended).toBe(1);
  expect(isRunning(postgres)).toBe(true);
});

test("the ports are the ones that were asked for", async ({ cleanup }) => {
  const [nats, postgres] = [await freePort(), await freePort()];
  const program = runProgram(["--nats-port", `${nats}`, "--postgres-port", `${postgres}`]);
  cleanup(() => program.child.kill("SIGTERM") && program.ended);
  const { nats_url, database_url } = await program.ready();
  const portOf = (url: string) => Number(new URL(url).port);
  expect([portOf(nats_url), portOf(database_url)]).toEqual([nats, postgres]);
});

test("a bad option is answered with the usage and exit code 2", async () => {
  const program = runProgram(["--nats-port", "many"]);
  expect(await program.ended).toBe(2);
  expect(program.printed.stderr).toMatch(/^--nats-port must be a port from 1 to 65535\n\n.*Usage/s);
});

test("--help prints the usage", async () => {
  const program = runProgram(["--help"]);
  expect(await program.ended).toBe(0);
  expect(program.printed.stdout).toContain("Usage: npm run dev:servers");
});

test("a folder for temporary files that is not there is named, with what to do", async ({
  folder,
}) => {
  const env = { ...process.env, TMPDIR: join(folder, "missing") };
  // tsx itself writes to it.
  const program = runProgram([], "ignore", { ...env, TSX_DISABLE_CACHE: "1" });
  expect(await program.ended).toBe(1);
  expect(program.printed.stderr).toMatch(
    /missing, where temporary files belong, cannot be used \(it is not there\): make it, or set TMPDIR/,
  );
});
