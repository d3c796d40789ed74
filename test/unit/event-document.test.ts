import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { experienceEventSchema } from "../../src/handlers/extractor/wire.ts";

const text = readFileSync(new URL("../../docs/events.md", import.meta.url), "utf8");

function fieldsOf(schema: object, within = ""): string[] {
  if (!("properties" in schema)) return [within.slice(0, -1)];
  const properties = schema.properties as Readonly<Record<string, object>>;
  return Object.entries(properties).flatMap(([name, of]) => fieldsOf(of, `${within}${name}.`));
}

test("docs/events.md has a row for every field that is read, and for no other", () => {
  const rows = text.split("\n").filter((line) => line.startsWith("| `"));
  const named = rows.flatMap((row) =>
    [...(row.split("|")[1] ?? "").matchAll(/`([\w.]+)`/g)].map(([, name]) => name),
  );
  expect(named.toSorted()).toEqual(fieldsOf(experienceEventSchema).toSorted());
});
