import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { effectFigure, figurePath } from "../../../scripts/effect-figure.ts";

test("the figure of docs/effect.md is what the code that judges lessons draws (tsx scripts/effect-figure.ts)", () => {
  expect(readFileSync(figurePath, "utf8")).toBe(effectFigure());
});
