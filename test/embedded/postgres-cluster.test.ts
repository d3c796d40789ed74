import { cp, stat } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "vitest";
import { locatePostgres } from "../../src/embedded/postgres-binaries.ts";
import { openCluster } from "../../src/embedded/postgres-cluster.ts";
import { test } from "./fixture.ts";

test("PostgreSQL may be installed below a folder that only its user may enter", async ({
  folder,
}) => {
  const { binDir } = await locatePostgres();
  const native = join(folder, "native");
  await cp(join(binDir, ".."), native, { recursive: true, verbatimSymlinks: true });
  expect((await stat(folder)).mode & 0o777).toBe(0o700);

  const bin = join(native, "bin");
  const binaries = { binDir: bin, initdb: join(bin, "initdb"), postgres: join(bin, "postgres") };
  const cluster = await openCluster(join(folder, "data"), binaries);
  expect((await stat(join(cluster.folder, "PG_VERSION"))).isFile()).toBe(true);
});

test("a cluster that cannot be made is an error that says why", async ({ folder }) => {
  const binaries = { binDir: folder, initdb: "/bin/false", postgres: "/bin/false" };
  await expect(openCluster(join(folder, "data"), binaries)).rejects.toMatchObject({
    code: "unavailable",
    message: expect.stringContaining("PostgreSQL cannot be initialised: Command failed"),
  });
});
