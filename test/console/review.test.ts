import { afterAll, describe, expect, test } from "vitest";
import { browserPath, closeBrowser, openPage, withoutBrowser } from "../rig/browser.ts";
import { eventually } from "../rig/eventually.ts";
import { openStack } from "../rig/service.ts";
import { ask, bodyOf } from "../rig/traffic.ts";

afterAll(closeBrowser);

describe.skipIf(browserPath === null)(`the review board in a browser${withoutBrowser}`, () => {
  test("an entry goes from feedback to a merged lesson, which the next recall has", async () => {
    const stack = await openStack();
    const service = await stack.start({ LESSON_TRIAL_SHARE: "1" });
    const { nc } = stack.broker;
    const summary = "It booked the wrong day";
    await bodyOf(ask(nc, "experience.review.create", { feedback_id: "f1", summary }));
    const { page, complaints } = await openPage(`http://127.0.0.1:${service.httpPort}`);
    await page.goto("/review");
    await page
      .getByRole("region", { name: /^Feedback/ })
      .getByText(summary)
      .click();
    const fill = async (fields: Record<string, string>) => {
      for (const [label, text] of Object.entries(fields)) {
        await page.getByLabel(label, { exact: true }).locator("visible=true").fill(text);
      }
    };
    const take = async (step: string, fields: Record<string, string>, now: string) => {
      await page.getByText(`${step} …`, { exact: true }).click();
      await fill(fields);
      await page.getByRole("button", { name: step, exact: true }).click();
      await page.getByText(`Now at: ${now}.`).waitFor();
    };
    await take("Write a case", {}, "Case");
    const skill = { "Skill id": "dates", Title: "Check the day", When: "booking", Do: "Ask back" };
    await take("Write a skill", skill, "Skill");
    await take("Sign as reviewed", { "Who answers for it": "Ada" }, "Reviewed");
    await take("Merge", { "Who answers for it": "Ada" }, "Merged");
    const history = page.getByRole("region", { name: "Each step" });
    expect(await history.locator("tbody tr").count()).toBe(5);
    await page.goto("/review");
    const merged = page.getByRole("region", { name: /^Merged/ });
    expect(await merged.textContent()).toContain("Check the day");
    const recall = { agent_id: "anyone" };
    await eventually(async () => {
      const { lessons } = await bodyOf(ask(nc, "experience.lessons.recall", recall));
      return lessons.length === 1;
    }, 15_000);
    const { block } = await bodyOf(ask(nc, "experience.lessons.recall", recall));
    expect(block).toContain("Ask back");
    expect(complaints).toEqual([]);
  }, 60_000);
});
