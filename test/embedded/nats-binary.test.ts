import { once } from "node:events";
import { chmod, mkdir, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { dirname, join } from "node:path";
import { expect } from "vitest";
import { locateNatsServer } from "../../src/embedded/nats-binary.ts";
import { proxyFor } from "../../src/embedded/nats-release.ts";
import { natsBinary, test } from "./fixture.ts";

const log = () => undefined;

async function fakeServer(file: string, version: string): Promise<string> {
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, `#!/bin/sh\necho "nats-server: v${version}"\n`);
  await chmod(file, 0o755);
  return file;
}

const cached = (folder: string) =>
  join(folder, "experience-bus", `${process.platform}-${process.arch}`, "nats-server");

test("the binary that NATS_SERVER_BIN names goes before all others", async ({ folder }) => {
  const chosen = await fakeServer(join(folder, "chosen"), "2.11.0");
  await fakeServer(join(folder, "bin", "nats-server"), "2.15.1");
  const env = { NATS_SERVER_BIN: chosen, PATH: join(folder, "bin") };
  expect(await locateNatsServer({ env, log })).toBe(chosen);
});

test("a NATS_SERVER_BIN that does not exist is an error that names it", async ({ folder }) => {
  const env = { NATS_SERVER_BIN: join(folder, "missing") };
  await expect(locateNatsServer({ env, log })).rejects.toMatchObject({
    code: "unavailable",
    message: `NATS_SERVER_BIN names ${env.NATS_SERVER_BIN}, which is no executable file.`,
  });
});

test("a NATS_SERVER_BIN that is no nats-server is an error", async () => {
  await expect(locateNatsServer({ env: { NATS_SERVER_BIN: "/bin/false" }, log })).rejects.toThrow(
    "NATS_SERVER_BIN names /bin/false, which does not run",
  );
});

test("a nats-server on the PATH that is new enough is used", async ({ folder }) => {
  const onPath = await fakeServer(join(folder, "bin", "nats-server"), "2.10.4");
  const env = { PATH: join(folder, "bin"), XDG_CACHE_HOME: folder };
  expect(await locateNatsServer({ env, log })).toBe(onPath);
});

test("a nats-server on the PATH that is too old is skipped and said to be", async ({ folder }) => {
  const old = await fakeServer(join(folder, "bin", "nats-server"), "2.9.10");
  await mkdir(dirname(cached(folder)), { recursive: true });
  await symlink(await natsBinary(), cached(folder));
  const lines: string[] = [];
  const found = await locateNatsServer({
    env: { PATH: join(folder, "bin"), XDG_CACHE_HOME: folder },
    log: (line) => lines.push(line),
  });
  expect(found).toBe(cached(folder));
  expect(lines).toEqual([`${old} is version 2.9.10, older than 2.10.4, looking further`]);
});

test("where none can be had, one sentence says how to install it and what was tried", async ({
  folder,
}) => {
  const env = { PATH: folder, XDG_CACHE_HOME: folder, HTTPS_PROXY: "http://127.0.0.1:1" };
  const search = locateNatsServer({ env, log });
  await expect(search).rejects.toMatchObject({ code: "unavailable" });
  await expect(search).rejects.toThrow(
    /^No nats-server found: install version 2\.10\.4 or newer from .* \(tried: PATH has none; .*there is no apt-get\)\.$/,
  );
});

test("the download goes through the proxy that HTTPS_PROXY names", async ({ folder, cleanup }) => {
  const asked: string[] = [];
  const proxy = createServer().on("connect", ({ url = "" }, socket) => {
    asked.push(url);
    socket.end("HTTP/1.1 403 Forbidden\r\n\r\n");
  });
  await once(proxy.listen(0, "127.0.0.1"), "listening");
  cleanup(() => proxy.close());
  const address = `127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  const env = { PATH: folder, XDG_CACHE_HOME: folder, HTTPS_PROXY: address };
  await expect(locateNatsServer({ env, log })).rejects.toThrow(/cannot be fetched \(.*403/);
  expect(asked).toEqual(["github.com:443"]);
});

test.each([
  [{}, undefined],
  [{ HTTPS_PROXY: "http://p:1" }, "http://p:1"],
  [{ https_proxy: "p:1", HTTPS_PROXY: "http://other:1" }, "http://p:1"],
  [{ ALL_PROXY: "http://p:1" }, "http://p:1"],
  [{ HTTP_PROXY: "http://p:1" }, undefined],
  [{ HTTPS_PROXY: "http://p:1", NO_PROXY: "localhost, .github.com" }, undefined],
  [{ HTTPS_PROXY: "http://p:1", no_proxy: "*" }, undefined],
  [{ HTTPS_PROXY: "http://p:1", NO_PROXY: "hub.com,127.0.0.1" }, "http://p:1"],
])("with %j the proxy is %s", (env, proxy) => {
  expect(proxyFor("https://github.com/nats-io", env)).toBe(proxy);
});

test("a cache that takes nothing is passed over for the folder of the data", async ({ folder }) => {
  const own = await fakeServer(join(folder, "data", "bin", "nats-server"), "2.14.5");
  const file = join(folder, "file");
  await writeFile(file, "");
  const options = { log, ownFolder: join(folder, "data") };
  const env = { PATH: folder, XDG_CACHE_HOME: file };
  expect(await locateNatsServer({ ...options, env })).toBe(own);

  const nowhere = locateNatsServer({ env, log, ownFolder: join(file, "data") });
  await expect(nowhere).rejects.toThrow(
    /the cache cannot be used: .*choose a folder that this user/,
  );
});
