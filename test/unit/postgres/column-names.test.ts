import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { getTableColumns, getTableName, is } from "drizzle-orm";
import { PgTable } from "drizzle-orm/pg-core";
import { describe, expect, test } from "vitest";
import * as schema from "../../../src/schema/tables.ts";

const src = fileURLToPath(new URL("../../../src", import.meta.url));

const tables = Object.values(schema).filter((one) => is(one, PgTable));
/** Columns of one word are left out: parts of statements are called so, too. */
const names = new Set([
  ...tables.map((table) => getTableName(table)),
  ...tables.flatMap((table) =>
    Object.values(getTableColumns(table)).flatMap(({ name }) => (name.includes("_") ? [name] : [])),
  ),
]);

/** What `sql` templates say themselves, without what is put into them. */
function statementsIn(text: string): string {
  let said = "";
  /** Of the templates and the code around the place, the innermost last; braces that are open in code. */
  const around: { isStatement: boolean; isCode: boolean; braces: number }[] = [];
  const tokens =
    /\\.|\/\/.*|\/\*[\s\S]*?\*\/|"(?:\\.|[^"\\\n])*"|\bsql(?:<[^`]*?>)?`|`|\$\{|[{}]|[\s\S]/g;
  for (const [token] of text.matchAll(tokens)) {
    const inner = around.at(-1);
    const isCode = inner?.isCode ?? true;
    if (isCode && token.endsWith("`")) {
      around.push({ isStatement: token.startsWith("sql"), isCode: false, braces: 0 });
    } else if (token === "`") around.pop();
    else if (!isCode && token === "${") {
      around.push({ isStatement: false, isCode: true, braces: 0 });
      said += " ";
    } else if (isCode && inner !== undefined && token === "{") inner.braces += 1;
    else if (isCode && inner !== undefined && token === "}") {
      if (inner.braces === 0) around.pop();
      else inner.braces -= 1;
    } else if (inner?.isStatement) said += token;
  }
  return said;
}

const spelledIn = (text: string) => [
  ...new Set((statementsIn(text).match(/\w+/g) ?? []).filter((word) => names.has(word))),
];

describe("names of tables and columns", () => {
  test("are found in a statement, and nowhere else", () => {
    const text = `
      const a = {
        run_id: sql\`SELECT tenant_id, \${f({ b: "user_id" })} FROM \${sql<number>\`agent_runs\`} x\`,
        c: \`task_type\`,
      };`;
    expect(spelledIn(text)).toEqual(["tenant_id", "agent_runs"]);
  });

  test("stand in src/schema, and in no statement", () => {
    const files = readdirSync(src, { recursive: true, encoding: "utf8" }).filter(
      (file) => /\.tsx?$/.test(file) && !file.startsWith("schema/"),
    );
    const found = files.filter(
      (file) => spelledIn(readFileSync(join(src, file), "utf8")).length > 0,
    );
    expect(found).toEqual([]);
  });
});
