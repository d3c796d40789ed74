import { mkdir, readFile, readlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "vitest";
import { runCommand } from "../../src/embedded/command.ts";
import { hydrateSymlinks, locatePostgres } from "../../src/embedded/postgres-binaries.ts";
import { test } from "./fixture.ts";

/** As npm unpacks the package when it runs no install scripts. */
async function packageWithoutLinks(folder: string): Promise<string> {
  await mkdir(join(folder, "native", "lib", "deep"), { recursive: true });
  await writeFile(join(folder, "native", "lib", "libpq.so.5.18"), "a library");
  await writeFile(
    join(folder, "native", "pg-symlinks.json"),
    JSON.stringify([
      { source: "native/lib/libpq.so.5.18", target: "native/lib/libpq.so.5" },
      { source: "native/lib/libpq.so.5.18", target: "native/lib/deep/libpq.so" },
    ]),
  );
  return folder;
}

test("library links that npm did not make are made, relative to their folder", async ({
  folder,
}) => {
  await hydrateSymlinks(await packageWithoutLinks(folder));
  expect(await readlink(join(folder, "native", "lib", "libpq.so.5"))).toBe("libpq.so.5.18");
  expect(await readFile(join(folder, "native", "lib", "deep", "libpq.so"), "utf8")).toBe(
    "a library",
  );
});

test("two starts at once may both make the links", async ({ folder }) => {
  await packageWithoutLinks(folder);
  await Promise.all([hydrateSymlinks(folder), hydrateSymlinks(folder)]);
  expect(await readlink(join(folder, "native", "lib", "libpq.so.5"))).toBe("libpq.so.5.18");
});

test("the installed package holds a PostgreSQL that runs", async () => {
  const { postgres } = await locatePostgres();
  expect(await runCommand(postgres, ["--version"])).toMatch(/^postgres \(PostgreSQL\) 18\./);
});
