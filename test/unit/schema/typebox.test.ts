import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

const src = new URL("../../../src/", import.meta.url).pathname;

test("TypeBox is imported by the one file that the build makes one module of, or each start would load hundreds", () => {
  const files = readdirSync(src, { recursive: true, encoding: "utf8" });
  const importing = files.filter(
    (file) => /\.tsx?$/.test(file) && /from "typebox/.test(readFileSync(join(src, file), "utf8")),
  );
  expect(importing).toEqual(["schema/typebox.ts"]);
});
