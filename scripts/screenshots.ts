/**
 * Makes the pictures of the console in docs/images: starts a demo that goes on living, and looks at it. Needs Chromium from
 * the system's packages.
 */
import { spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import { browserPath } from "../test/rig/browser-path.ts";

const folder = fileURLToPath(new URL("../docs/images/", import.meta.url));
const demoPath = fileURLToPath(new URL("../dist/demo/main.js", import.meta.url));
const shots = { fleet: "/", lessons: "/lessons" } as const;
/** So long the fleet lives before it is looked at. */
const livedMs = 20_000;
const startMs = 120_000;

async function addressOf(output: NodeJS.ReadableStream): Promise<string> {
  let said = "";
  const found = (async () => {
    for await (const chunk of output) {
      said += chunk;
      const [, address] = /See what they learn: (http:\S+)/.exec(said) ?? [];
      if (address !== undefined) return address;
    }
    throw new Error(`the demo ended:\n${said}`);
  })();
  const late = new Promise<never>((_, reject) => {
    setTimeout(() => reject(new Error("the demo does not start")), startMs).unref();
  });
  return await Promise.race([found, late]);
}

if (browserPath === null) throw new Error("no chromium in PATH: install the package chromium");
mkdirSync(folder, { recursive: true });
const demo = spawn(process.execPath, [demoPath, "--keep"], {
  stdio: ["ignore", "pipe", "inherit"],
});
const browser = await chromium.launch({ executablePath: browserPath, args: ["--no-sandbox"] });
try {
  const baseURL = await addressOf(demo.stdout);
  await new Promise((resolve) => setTimeout(resolve, livedMs));
  const context = await browser.newContext({ baseURL, viewport: { width: 1_280, height: 800 } });
  const page = await context.newPage();
  for (const [name, path] of Object.entries(shots)) {
    await page.goto(path);
    await page.screenshot({ path: `${folder}${name}.png` });
    console.log(`docs/images/${name}.png`);
  }
} finally {
  await browser.close();
  demo.kill("SIGINT");
}
