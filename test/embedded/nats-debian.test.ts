import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect } from "vitest";
import { fetchDebianPackage } from "../../src/embedded/nats-debian.ts";
import { test as base } from "./fixture.ts";

const run = promisify(execFile);
const hasApt = await run("apt-get", ["--version"]).then(
  () => true,
  () => false,
);
const test = hasApt ? base : base.skip;

/** A Debian mirror in a folder with one suite and one package, and an apt that is configured with it. */
async function mirror(folder: string, suite: string, name: string): Promise<NodeJS.ProcessEnv> {
  const { stdout } = await run("dpkg", ["--print-architecture"]);
  const arch = stdout.trim();
  const root = join(folder, "root");
  await mkdir(join(root, "usr", "sbin"), { recursive: true });
  await mkdir(join(root, "DEBIAN"));
  const control = `Package: ${name}\nVersion: 2.15.1-1\nArchitecture: ${arch}\nMaintainer: A <a@b.test>\nDescription: d\n`;
  await writeFile(join(root, "DEBIAN", "control"), control);
  await writeFile(join(root, "usr", "sbin", "nats-server"), "#!/bin/sh\necho packaged\n");
  await chmod(join(root, "usr", "sbin", "nats-server"), 0o755);
  const index = join(folder, "debian", "dists", suite, "main", `binary-${arch}`);
  await mkdir(index, { recursive: true });
  const archive = join(folder, "debian", "one.deb");
  await run("dpkg-deb", ["--root-owner-group", "-b", root, archive]);
  const bytes = await readFile(archive);
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  await writeFile(
    join(index, "Packages"),
    `${control}Filename: one.deb\nSize: ${bytes.length}\nSHA256: ${sha256}\n`,
  );
  await writeFile(
    join(folder, "sources.list"),
    `deb [trusted=yes] file:${join(folder, "debian")} bookworm main\n`,
  );
  await writeFile(
    join(folder, "apt.conf"),
    `Dir::Etc::sourcelist "${join(folder, "sources.list")}";\nDir::Etc::sourceparts "/dev/null";\n`,
  );
  return { ...process.env, APT_CONFIG: join(folder, "apt.conf") };
}

test("the newer suite's package comes from the mirror the machine is configured with", async ({
  folder,
}) => {
  const env = await mirror(folder, "forky", "nats-server");
  const target = join(folder, "cache", "nats-server");
  await fetchDebianPackage({ target, env, log: () => undefined });
  expect((await run(target)).stdout).toBe("packaged\n");
});

test("where forky has no package, sid's is taken", async ({ folder }) => {
  const env = await mirror(folder, "sid", "nats-server");
  const lines: string[] = [];
  const target = join(folder, "cache", "nats-server");
  await fetchDebianPackage({ target, env, log: (line) => lines.push(line) });
  expect(lines.at(-1)).toBe("downloading the nats-server package of Debian sid");
  expect((await run(target)).stdout).toBe("packaged\n");
});

test("a mirror without the package is an error that names both suites", async ({ folder }) => {
  const env = await mirror(folder, "sid", "something-else");
  const target = join(folder, "cache", "nats-server");
  await expect(fetchDebianPackage({ target, env, log: () => undefined })).rejects.toThrow(
    /^apt-get has no nats-server package \(forky: .*; sid: .*Unable to locate package nats-server\)$/,
  );
});
