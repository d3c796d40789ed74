import { expect, test } from "vitest";
import { holderOf, parseTokens } from "../../src/http/tokens.ts";
import { run } from "./command.ts";

test("a new token is shown once, with a line by which the service knows it", async () => {
  const options = "--name ci --tenant acme --may publish recall";
  const { out, code } = await run(`tokens new ${options} --json`);
  const { token, line } = JSON.parse(out);
  expect(line).not.toContain(token);
  expect(holderOf(parseTokens(line), token)).toMatchObject({
    ...{ name: "ci", tenantId: "acme", may: new Set(["publish", "recall"]) },
  });
  expect(code).toBe(0);
  const again = await run(`tokens new ${options}`);
  expect(again.out).toContain("eb_");
  expect(again.out).not.toContain(token);
});

test("a right that there is not is refused", async () => {
  const { code, complaints } = await run("tokens new --name ci --tenant acme --may write");
  expect([code, complaints]).toEqual([2, expect.stringContaining("publish, recall, read")]);
});
