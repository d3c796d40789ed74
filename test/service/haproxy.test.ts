import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { eventually } from "../rig/eventually.ts";
import { freePort } from "../rig/ports.ts";
import { get, openStack } from "../rig/service.ts";

/** Debian's package puts it where only administrators look. */
const env = { PATH: `${process.env["PATH"]}:/usr/sbin` };
const haproxy = spawnSync("which", ["haproxy"], { env, encoding: "utf8" }).stdout.trim();
const isNeeded = Boolean(process.env["CI"]);
if (haproxy === "") console.warn("HAProxy is needed: apt-get install haproxy");

/** In front of that port, with the checks that it makes unless told otherwise: HTTP/1.0, and no Host. */
async function startHaproxy(httpPort: number) {
  const [port, statsPort] = [await freePort(), await freePort()];
  const folder = mkdtempSync(join(tmpdir(), "experience-bus-haproxy-"));
  const file = join(folder, "haproxy.cfg");
  writeFileSync(
    file,
    `defaults
  mode http
  timeout connect 2s
  timeout client 90s
  timeout server 90s
listen bus
  bind 127.0.0.1:${port}
  option httpchk GET /livez
  server replica 127.0.0.1:${httpPort} check inter 100ms fall 1 rise 1
listen stats
  bind 127.0.0.1:${statsPort}
  stats enable
  stats uri /
`,
  );
  // Unpacked beside the machine, its libraries lie beside it.
  const libraries = join(dirname(haproxy), "..", "lib", "x86_64-linux-gnu");
  const child = spawn(haproxy, ["-db", "-f", file], {
    env: { ...env, LD_LIBRARY_PATH: libraries },
    stdio: "ignore",
  });
  onTestFinished(async () => {
    child.kill("SIGKILL");
    await once(child, "close");
    rmSync(folder, { recursive: true, force: true });
  });
  const statusAt = (path: string) =>
    get(port, path).then(
      ({ status }) => status,
      () => null,
    );
  /** What the last check found out, as HAProxy tells it: `L7OK,200`, `L4CON,`; with a star while the next one runs. */
  const checked = async () => {
    const { text } = await get(statsPort, "/;csv").catch(() => ({ text: "" }));
    return /^bus,replica,.*?,(?:\* )?(L\d\w+,\d*),/m.exec(text)?.[1];
  };
  return { statusAt, checked };
}

test.skipIf(haproxy === "" && !isNeeded)(
  "HAProxy finds a replica alive by /livez, and gone when it is stopped",
  async () => {
    expect(haproxy, "HAProxy is needed: apt-get install haproxy").not.toBe("");
    const stack = await openStack();
    const service = await stack.start();
    const { statusAt, checked } = await startHaproxy(service.httpPort);
    await eventually(async () => (await checked()) === "L7OK,200");
    expect(await statusAt("/livez")).toBe(200);
    await service.stop();
    await eventually(async () => (await statusAt("/livez")) === 503);
    await eventually(async () => (await checked())?.startsWith("L4") ?? false);
  },
);
