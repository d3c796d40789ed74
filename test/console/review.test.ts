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

  test("an entry is removed with a reason, and a memory promoted and removed; both stay on record", async () => {
    const stack = await openStack();
    const service = await stack.start();
    const { nc } = stack.broker;
    const { sql } = stack.database;
    const entry = { entry_id: "e1", feedback_id: "f1", summary: "It booked the wrong day" };
    await bodyOf(ask(nc, "experience.review.create", entry));
    const memory = { entry_id: "m1", scope: "project", project_key: "shop", confidence: 0.8 };
    await bodyOf(ask(nc, "experience.memory.save", { ...memory, insight: "Paid after ordered" }));
    const { page, complaints } = await openPage(`http://127.0.0.1:${service.httpPort}`);
    const open = (label: string) => page.getByText(label, { exact: true }).click();
    const press = (name: string) =>
      page.getByRole("button", { name, exact: true }).locator("visible=true").click();
    const fill = (label: string, text: string) =>
      page.getByLabel(label, { exact: true }).locator("visible=true").fill(text);
    await page.goto("/review/e1");
    await open("Remove …");
    await fill("Who answers for it", "Ada");
    await fill("Reason", "said twice");
    await press("Remove");
    await page.getByText("Removed. Its steps stay on record.").waitFor();
    expect(await page.textContent("main")).toContain("There is nothing to review.");
    const [step] = await sql`SELECT who, reason FROM review_events WHERE what = 'removed'`;
    expect(step).toEqual({ who: "Ada", reason: "said twice" });

    await page.goto("/memory");
    await open("Promote …");
    await fill("Who answers for it", "Ada");
    await press("Promote");
    await page.getByText("Promoted: it is on record who answers for it.").waitFor();
    const promotions = page.getByRole("region", { name: "The last promotions" });
    expect(await promotions.textContent()).toContain("Ada");
    const [promoted] = await sql`SELECT scope, promotion_level FROM memory_entries`;
    expect(promoted).toEqual({ scope: "world", promotion_level: 1 });
    await open("Remove …");
    await press("Remove");
    await page.getByText("Removed. Its promotions stay on record.").waitFor();
    expect(await sql`SELECT FROM memory_entries`).toHaveLength(0);
    expect(await promotions.textContent()).toContain("Ada");
    expect(complaints).toEqual([]);
  }, 60_000);
});
