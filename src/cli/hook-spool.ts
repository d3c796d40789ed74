import { appendFile, mkdir, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

/** A hook that waits. */
export interface Spooled {
  readonly agent: string;
  /** Epoch ms. */
  readonly receivedAt: number;
  /** As the agent gave it. */
  readonly body: string;
}

/** Beyond this the newest are left out: an agent's disk is not ours to fill. */
const mostBytes = 10_000_000;
/** A taken file that its process has left behind. */
const abandonedMs = 60_000;

/** For the user alone: hooks hold what tools were asked. All in one write: a file may hold thousands. */
export async function appendTo(file: string, hooks: readonly Spooled[]): Promise<void> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  let room = mostBytes - (await sizeOf(file));
  const lines: string[] = [];
  for (const hook of hooks) {
    const line = `${JSON.stringify(hook)}\n`;
    room -= line.length;
    if (room < 0) break;
    lines.push(line);
  }
  if (lines.length > 0) await appendFile(file, lines.join(""), { mode: 0o600 });
}

/**
 * All that wait, which then belong to this process: the file is renamed, so that of several processes one has them. What a
 * process took that died is taken again after a minute; events have one identity, so nothing counts twice.
 */
export async function takeFrom(file: string): Promise<Spooled[]> {
  const taken = `${file}.${process.pid}.taken`;
  const sources = [file, ...(await abandoned(file))];
  const found: Spooled[] = [];
  for (const source of sources) {
    if (!(await renamed(source, taken))) continue;
    found.push(...linesOf(await readFile(taken, "utf8")));
    await rm(taken, { force: true });
  }
  return found;
}

function linesOf(text: string): Spooled[] {
  return text.split("\n").flatMap((line) => {
    const value = parsed(line);
    const isHook = typeof value?.agent === "string" && typeof value.body === "string";
    return isHook ? [value] : [];
  });
}

/** Null for a line that was written in part, when a disk was full or a process was killed. */
function parsed(line: string): Spooled | null {
  try {
    return JSON.parse(line) as Spooled;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

async function abandoned(file: string): Promise<string[]> {
  const folder = dirname(file);
  const names = await orElse(readdir(folder), []);
  const left = names.filter(
    (name) => name.startsWith(`${basename(file)}.`) && name.endsWith(".taken"),
  );
  const old: string[] = [];
  for (const name of left) {
    const path = join(folder, name);
    const written = await orElse(
      stat(path).then(({ mtimeMs }) => mtimeMs),
      Date.now(),
    );
    if (Date.now() - written > abandonedMs) old.push(path);
  }
  return old;
}

async function renamed(from: string, to: string): Promise<boolean> {
  return await orElse(
    rename(from, to).then(() => true),
    false,
  );
}

const sizeOf = (file: string) =>
  orElse(
    stat(file).then(({ size }) => size),
    0,
  );

/** The fallback where there is no such file. */
async function orElse<T>(work: Promise<T>, fallback: T): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return fallback;
    throw error;
  }
}
