import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const folder = fileURLToPath(new URL("../../../src/client/", import.meta.url));
const files = readdirSync(folder).map((name) => [name, readFileSync(folder + name, "utf8")]);

test.each(files)("%s of the client loads nothing but its like", (_, text = "") => {
  for (const [, what = "", from = ""] of text.matchAll(
    /^(import|export)[^;]*? from "([^"]+)";/gm,
  )) {
    const isType = new RegExp(`${what} type [^;]* from "${from}"`).test(text);
    expect(isType || from.startsWith("./"), from).toBe(true);
  }
  expect(text).not.toMatch(/\b(process|Buffer|require)\b[.(]/);
});

test("the client has less than 10 kB", () => {
  const build = fileURLToPath(new URL("../../../dist/client/", import.meta.url));
  const scripts = readdirSync(build).filter((name) => name.endsWith(".js"));
  expect(scripts).toContain("index.js");
  const bytes = scripts.reduce((sum, name) => sum + readFileSync(build + name).length, 0);
  expect(bytes).toBeLessThan(10_000);
});

test("the package offers the client", () => {
  const { exports } = JSON.parse(
    readFileSync(new URL("../../../package.json", import.meta.url), "utf8"),
  );
  expect(exports["./client"]).toEqual({
    types: "./dist/client/index.d.ts",
    default: "./dist/client/index.js",
  });
});
