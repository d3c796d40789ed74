import { execFileSync } from "node:child_process";

/** A browser from the system's packages; null where there is none. */
export const browserPath =
  ["chromium", "chromium-browser", "google-chrome"]
    .map((name) => {
      try {
        return execFileSync("which", [name], { encoding: "utf8" }).trim();
      } catch {
        return null;
      }
    })
    .find((path) => path !== null) ?? null;
