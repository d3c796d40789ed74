import { expect, test } from "vitest";
import { scopeFilter, scopesPattern } from "../../../src/handlers/ingest/scopes.ts";

test.each([
  ["", ["", "litellm", "openinference.langchain"]],
  ["!litellm", ["", "openinference.langchain"]],
  ["openinference.*, litellm", ["litellm", "openinference.langchain"]],
  ["*, !openinference.*", ["", "litellm"]],
  ["!*", []],
])("of three scopes %j takes %j", (list, taken) => {
  expect(list).toMatch(scopesPattern);
  expect(["", "litellm", "openinference.langchain"].filter(scopeFilter(list))).toEqual(taken);
});

test.each(["a b", "a**", "!!a", "a*b"])("%j is no list of scopes", (list) => {
  expect(list).not.toMatch(scopesPattern);
});
