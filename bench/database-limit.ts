import { execFile } from "node:child_process";
import { cpus } from "node:os";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { Rig } from "./rig.ts";

/** Events a second that PostgreSQL stores at the most: the same statements over as many connections as cores, no broker. */
export async function databaseLimit(
  { databaseUrl }: Rig,
  of: { readonly part: "features" | "runs"; readonly messages: number; readonly keys: number },
): Promise<number> {
  const program = fileURLToPath(new URL("./contenders/statements.ts", import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, ["--import", "tsx", program], {
    env: {
      PATH: process.env["PATH"] ?? "",
      NODE_ENV: "production",
      LEARNER_DATABASE_URL: databaseUrl,
      PART: of.part,
      MESSAGES: String(of.messages),
      KEYS: String(of.keys),
      WRITERS: String(cpus().length),
    },
  });
  return Number(stdout);
}
