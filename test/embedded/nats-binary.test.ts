import { chmod, mkdir, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { expect } from "vitest";
import { locateNatsServer } from "../../src/embedded/nats-binary.ts";
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
  const notAFolder = join(folder, "file");
  await writeFile(notAFolder, "");
  const env = { PATH: folder, XDG_CACHE_HOME: notAFolder };
  const search = locateNatsServer({ env, log });
  await expect(search).rejects.toMatchObject({ code: "unavailable" });
  await expect(search).rejects.toThrow(
    /^No nats-server found: install version 2\.10\.4 or newer from .* \(tried: PATH has none; .*there is no apt-get\)\.$/,
  );
});
