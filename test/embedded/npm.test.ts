import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, vi } from "vitest";
import { runCommand } from "../../src/embedded/command.ts";
import { isRunning, test, until } from "./fixture.ts";
import { serverPids } from "./program.ts";

vi.setConfig({ testTimeout: 120_000 });

const built = (name: string) => fileURLToPath(new URL(`../../dist/${name}`, import.meta.url));
const data = ".experience-bus";

/** A person's shell: no variable names a server. */
const env = { PATH: process.env["PATH"] ?? "", HOME: process.env["HOME"] ?? "", HTTP_PORT: "0" };

/** Runs the script `start` of a package whose folder this is, as `npm start` does in a checkout. */
function npmStart(folder: string) {
  const scripts = { start: `node ${built("main.js")}` };
  writeFileSync(join(folder, "package.json"), JSON.stringify({ scripts }));
  const child = spawn("npm", ["start"], { cwd: folder, env, stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (said += chunk));
  const ended = once(child, "exit");
  return {
    child,
    said: () => said,
    ended,
    ready: () => until("it is ready", () => said.includes("Stop with Ctrl-C")),
  };
}

const portsIn = (folder: string) =>
  JSON.parse(readFileSync(join(folder, data, "ports.json"), "utf8"));

test("what npm start prints makes a lesson when pasted, and SIGTERM to npm leaves nothing behind", async ({
  folder,
  cleanup,
}) => {
  const first = npmStart(folder);
  await first.ready();
  const [address = ""] = /Console: (http:\S+)/.exec(first.said())?.slice(1) ?? [];
  expect((await fetch(address)).status).toBe(200);
  const { nats, postgres } = await serverPids(join(folder, data));
  cleanup(() => isRunning(nats) && process.kill(nats, "SIGKILL"));
  const [paste = ""] = /^ +for run in .*$/m.exec(first.said()) ?? [];
  const shell = { cwd: folder, env, timeoutMs: 30_000 };
  expect(await runCommand("sh", ["-c", paste], shell)).toContain("3 stored");
  const lessons = async () =>
    runCommand(process.execPath, [built("cli/main.js"), "lessons", "ls", "--json"], shell);
  await until("there is a lesson", async () => (await lessons()).includes('"lesson_key"'));

  first.child.kill("SIGTERM");
  await until("both servers are gone", () => !isRunning(nats) && !isRunning(postgres));
  const ports = portsIn(folder);
  const stranger = createServer().listen(ports.nats, "127.0.0.1");
  await once(stranger, "listening");

  const second = npmStart(folder);
  cleanup(async () => {
    second.child.kill("SIGTERM");
    await second.ended;
  });
  await second.ready();
  stranger.close();
  expect(second.said()).toContain(`port ${ports.nats} of nats-server is taken by another program`);
  expect(portsIn(folder).postgres).toBe(ports.postgres);
  expect(portsIn(folder).nats).not.toBe(ports.nats);
  const again = await serverPids(join(folder, data));
  second.child.kill("SIGTERM");
  await until("they are gone again", () => !isRunning(again.nats) && !isRunning(again.postgres));
});
