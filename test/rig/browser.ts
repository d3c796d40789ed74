import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { onTestFinished } from "vitest";
import { browserPath } from "./browser-path.ts";

export { browserPath };

if (browserPath === null) {
  console.error("no chromium or google-chrome in PATH: tests of pages are skipped");
}

export const withoutBrowser =
  browserPath === null ? " (skipped: no chromium or google-chrome in PATH)" : "";

let running: Promise<Browser> | null = null;

/** One for all tests of a file; `closeBrowser` ends it. */
async function browser(): Promise<Browser> {
  running ??= chromium.launch({
    executablePath: browserPath ?? "",
    args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
  });
  return await running;
}

export async function closeBrowser(): Promise<void> {
  const opened = running;
  running = null;
  await (await opened)?.close();
}

/** A page of a context of its own, and everything that went wrong in it. */
export interface WatchedPage {
  readonly page: Page;
  /** Errors of scripts, messages of the console that are errors or warnings, and requests to elsewhere. */
  readonly complaints: readonly string[];
}

/** Call it within a test. `origin` is where the pages are; nothing may be asked of any other. */
export async function openPage(
  origin: string,
  options: BrowserContextOptions = {},
): Promise<WatchedPage> {
  const context = await (await browser()).newContext({ baseURL: origin, ...options });
  onTestFinished(() => context.close());
  const complaints: string[] = [];
  const page = await context.newPage();
  page.on("pageerror", (error) => complaints.push(`script: ${error.message}`));
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) complaints.push(message.text());
  });
  page.on("request", (request) => {
    if (new URL(request.url()).origin !== origin) complaints.push(`asks ${request.url()}`);
  });
  return { page, complaints };
}
