import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** A copy of the build, so that nothing changes under the replicas while they are started again and again. */
export interface Build {
  readonly main: string;
  remove(): void;
}

/** One change to the compiled code; its text must be there exactly once. */
export interface Change {
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

const root = fileURLToPath(new URL("../..", import.meta.url));

export function copyBuild(changes: readonly Change[] = []): Build {
  const folder = mkdtempSync(join(tmpdir(), "experience-bus-build-"));
  for (const name of ["dist", "drizzle", "package.json"]) {
    cpSync(join(root, name), join(folder, name), { recursive: true });
  }
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
  for (const { file, from, to } of changes) {
    const path = join(folder, "dist", file);
    const parts = readFileSync(path, "utf8").split(from);
    if (parts.length !== 2) {
      throw new Error(`${file} has ${parts.length - 1} times, not once, the text:\n${from}`);
    }
    writeFileSync(path, parts.join(to));
  }
  return {
    main: join(folder, "dist", "main.js"),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
