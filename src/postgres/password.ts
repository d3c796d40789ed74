import { readFile } from "node:fs/promises";
import { userInfo } from "node:os";
import { BusError } from "../errors.ts";
import type { Address, DatabaseTarget } from "./target.ts";

/**
 * The password for a host, read from its file each time, so that a rotated one is found. Empty where there is none.
 * Rejects with `unavailable` where the file cannot be read: it may be there again in a moment.
 */
export async function passwordFor(target: DatabaseTarget, address: Address): Promise<string> {
  const { password } = target;
  if (password.kind === "none") return "";
  if (password.kind === "text") return password.text;
  try {
    const text = await readFile(password.file, "utf8");
    if (password.kind === "file") return text.replace(/\r?\n$/, "");
    return passfileEntry(text, target, address) ?? "";
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? "unreadable";
    throw new BusError("unavailable", `the file with the database password: ${code}`, { cause });
  }
}

/** The first line that fits, as libpq reads it: `*` fits all, `\` takes the next character as it is. */
export function passfileEntry(
  text: string,
  { database, user }: Pick<DatabaseTarget, "database" | "user">,
  address: Address,
): string | undefined {
  const name = user || userInfo().username;
  const [host, port] =
    "path" in address
      ? ["localhost", /\d+$/.exec(address.path)?.[0] ?? "5432"]
      : [address.host, String(address.port)];
  const wanted = [host, port, database || name, name];
  for (const line of text.split(/\r?\n/)) {
    if (line.startsWith("#")) continue;
    const fields = line.match(/(?:\\.|[^:\\])+|(?<=:)(?=:)/g) ?? [];
    const [raw] = fields.splice(4, 1);
    const plain = (field: string) => field.replace(/\\(.)/g, "$1");
    const fits = wanted.every((value, i) => fields[i] === "*" || plain(fields[i] ?? "") === value);
    if (fits && raw !== undefined) return plain(raw);
  }
  return undefined;
}
