import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { AxeResults } from "axe-core";
import type { Page } from "playwright-core";
import { afterAll, describe, expect, test } from "vitest";
import { browserPath, closeBrowser, openPage, withoutBrowser } from "../rig/browser.ts";
import { eventually } from "../rig/eventually.ts";
import { openStack, type Stack, type TestService } from "../rig/service.ts";
import { ask, bodyOf, failure, publish } from "../rig/traffic.ts";
import { fillConsole, hostileRun } from "./story.ts";

afterAll(closeBrowser);

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

const standard = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
/** What depends on the width, or on light and dark. */
const visual = ["color-contrast", "target-size", "scrollable-region-focusable", "region"];

/** What stands against WCAG 2.2 AA, a line each. */
async function violationsOn(page: Page, runOnly: readonly string[]): Promise<string[]> {
  if (!(await page.evaluate("'axe' in window"))) await page.evaluate(axe);
  const options = JSON.stringify({ runOnly, resultTypes: ["violations"] });
  const { violations } = (await page.evaluate(`axe.run(document, ${options})`)) as AxeResults;
  return violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html}`));
}

const originOf = ({ httpPort }: TestService) => `http://127.0.0.1:${httpPort}`;

async function open(stack: Stack, service: TestService) {
  await fillConsole(stack, service);
  const { sql } = stack.database;
  const [lesson] = await sql`SELECT lesson_key FROM agent_lessons WHERE agent_id <> 'scout'`;
  return [
    ...["/", "/?range=all", "/review", "/review/e0", "/memory", "/missions", "/missions/ada/m0"],
    ...["/lessons", `/lessons/${lesson?.["lesson_key"]}`, "/lessons?agent_id=nobody"],
    ...["/lessons?order=runs&text=img", "/runs", `/runs/${encodeURIComponent(hostileRun)}`],
    ...["/runs?status=failed", "/dead-letters", "/dead-letters/1", "/why"],
  ];
}

describe.skipIf(browserPath === null)(`the console in a browser${withoutBrowser}`, () => {
  test("each page is accessible, wide and narrow, light and dark, whatever is in its texts", async () => {
    const stack = await openStack();
    const service = await stack.start();
    const paths = await open(stack, service);
    const { page, complaints } = await openPage(originOf(service));
    for (const path of paths) {
      await page.goto(path);
      await page.evaluate(
        "for (const one of document.querySelectorAll('details')) one.open = true",
      );
      expect(await violationsOn(page, standard), path).toEqual([]);
      for (const width of [1_280, 390]) {
        await page.setViewportSize({ width, height: 900 });
        for (const colorScheme of ["light", "dark"] as const) {
          await page.emulateMedia({ colorScheme });
          const where = `${path} at ${width}, ${colorScheme}`;
          expect(await violationsOn(page, visual), where).toEqual([]);
        }
        expect(await page.evaluate("document.documentElement.scrollWidth"), path).toBe(width);
      }
      expect(await page.title(), path).toContain("Experience Bus");
    }
    expect(complaints).toEqual([]);
  }, 120_000);

  test("a lesson appears on the open page with its third failure, and keeps what somebody is doing", async () => {
    const stack = await openStack();
    const service = await stack.start();
    const { page, complaints } = await openPage(originOf(service));
    await page.goto("/lessons");
    expect(await page.textContent("main")).toContain("Nothing has been learned yet.");
    await page.getByLabel("Agent", { exact: true }).fill("half a na");
    await publish(stack.broker, failure(), failure());
    await publish(stack.broker, failure());
    const row = page.getByRole("link", { name: /search failed with "timeout"/ });
    await row.waitFor({ timeout: 15_000 });
    expect(await page.getByLabel("Agent", { exact: true }).inputValue()).toBe("half a na");
    expect(await page.textContent("#news")).toBe("There is a new lesson.");
    // A second one comes beside it, and the first one stays the same element.
    await row.focus();
    const other = { task_type: "another" };
    await publish(stack.broker, failure(other), failure(other), failure(other));
    await page.getByRole("link", { name: /task another/ }).waitFor({ timeout: 15_000 });
    expect(await page.evaluate("document.activeElement.textContent")).toContain("task triage");
    // A browser has six connections to a host: more pages than that live by one.
    const more = await Promise.all(Array.from({ length: 7 }, () => page.context().newPage()));
    await Promise.all(more.map((one) => one.goto("/lessons")));
    const third = { task_type: "a third" };
    await publish(stack.broker, failure(third), failure(third), failure(third));
    for (const one of [page, ...more]) {
      await one.getByRole("link", { name: /task a third/ }).waitFor({ timeout: 15_000 });
    }
    expect(complaints).toEqual([]);
  }, 60_000);

  test("with a keyboard alone a lesson is found and silenced, and the next recall does not have it", async () => {
    const stack = await openStack();
    const service = await stack.start({ LESSON_TRIAL_SHARE: "1" });
    await publish(stack.broker, failure(), failure(), failure());
    const recall = async () =>
      bodyOf(ask(stack.broker.nc, "experience.lessons.recall", { agent_id: "scout" }));
    await eventually(async () => (await recall()).lessons.length === 1, 15_000);
    const { page, complaints } = await openPage(originOf(service));
    const { keyboard } = page;
    /** Presses Tab until that is reached. */
    const reach = async (name: string) => {
      for (let presses = 0; presses < 80; presses += 1) {
        await keyboard.press("Tab");
        const reached = await page.evaluate(
          "(document.activeElement.labels?.[0] ?? document.activeElement).textContent.trim()",
        );
        if (String(reached).startsWith(name)) return;
      }
      throw new Error(`${name} is not reached by keyboard`);
    };
    await page.goto("/lessons");
    await keyboard.press("Tab");
    expect(await page.textContent(":focus")).toContain("Skip to the content");
    await keyboard.press("Enter");
    await reach("Agent scout");
    await keyboard.press("Enter");
    await page.waitForURL(/\/lessons\/[0-9a-f]{16}$/);
    await reach("Silence");
    await keyboard.press("Enter");
    await reach("Who answers for it");
    await keyboard.type("Ada");
    await reach("Reason");
    await keyboard.type("known, and being worked on");
    await keyboard.press("Enter");
    await page.getByText("Done: silence.").waitFor();
    expect(await page.textContent("main")).toContain("known, and being worked on");
    expect((await recall()).lessons).toEqual([]);
    expect(complaints).toEqual([]);
  }, 60_000);

  test("a run of 10,000 events is followed to its end on a page that does not grow", async () => {
    const stack = await openStack();
    const service = await stack.start({ EXPERIENCE_CONCERNS: "runs,console" });
    const append = async (from: number, count: number) => {
      const events = Array.from({ length: count }, (_, i) => ({
        ...{ run_id: "long", event_id: `e${from + i}`, data: { n: from + i } },
        type: from + i === 10_000 ? "run_completed" : "step",
      }));
      await bodyOf(ask(stack.broker.nc, "experience.runs.append", events));
    };
    await append(1, 10);
    const { page, complaints } = await openPage(originOf(service));
    await page.goto("/runs/long");
    for (let from = 11; from <= 10_000; from += 999) {
      await append(from, Math.min(999, 10_001 - from));
    }
    await page.getByText("The run is over.").waitFor({ timeout: 30_000 });
    expect(await page.textContent("#event-list > :last-child")).toContain("#10000");
    expect(await page.locator("#event-list > *").count()).toBe(200);
    expect(await page.textContent("#facts")).toContain("completed");
    await page.getByRole("link", { name: "From the beginning" }).waitFor({ state: "detached" });
    await page.reload();
    await page.getByRole("link", { name: "From the beginning" }).click();
    await page.getByText("#50", { exact: true }).waitFor();
    expect(await page.locator("#event-list > *").count()).toBe(50);
    expect(complaints).toEqual([]);
  }, 90_000);

  test("more pages than a browser has connections, and more than one request names, all live at once", async () => {
    const stack = await openStack();
    const service = await stack.start({ EXPERIENCE_CONCERNS: "extractor,lessons,runs,console" });
    const runs = Array.from({ length: 6 }, (_, n) => `run-${n}`);
    const append = (type: string) =>
      bodyOf(
        ask(
          stack.broker.nc,
          "experience.runs.append",
          runs.map((run_id) => ({ run_id, type, data: {} })),
        ),
      );
    await append("run_started");
    const { page, complaints } = await openPage(originOf(service));
    const addresses = [
      ...Array.from({ length: 22 }, (_, n) => `/lessons?n=${n}`),
      ...runs.map((id) => `/runs/${id}`),
    ];
    const pages: Page[] = [];
    for (const address of addresses) {
      const one = await page.context().newPage();
      await one.goto(address);
      pages.push(one);
    }
    await publish(stack.broker, failure(), failure(), failure());
    await append("a_later_step");
    for (const one of pages.slice(0, 22)) {
      await one.getByRole("link", { name: /search failed/ }).waitFor({ timeout: 40_000 });
    }
    for (const one of pages.slice(22)) {
      await one.locator("#event-list", { hasText: "a_later_step" }).waitFor({ timeout: 40_000 });
    }
    await append("run_completed");
    for (const one of pages.slice(22)) {
      await one.getByText("The run is over.").waitFor({ timeout: 40_000 });
    }
    // There is room for whoever opens one more.
    await page.goto("/runs");
    expect(await page.textContent("h1")).toBe("Runs");
    expect(complaints).toEqual([]);
  }, 180_000);
});
