import { cpus } from "node:os";
import { type Rig, rateSaidBy } from "./rig.ts";

/** Events a second that PostgreSQL stores at the most: the same statements over as many connections as cores, no broker. */
export async function databaseLimit(
  { databaseUrl }: Rig,
  of: { readonly part: "features" | "runs"; readonly messages: number; readonly keys: number },
): Promise<number> {
  return await rateSaidBy("./contenders/statements.ts", {
    LEARNER_DATABASE_URL: databaseUrl,
    PART: of.part,
    MESSAGES: String(of.messages),
    KEYS: String(of.keys),
    WRITERS: String(cpus().length),
  });
}
