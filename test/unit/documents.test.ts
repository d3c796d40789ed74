import { existsSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { endpointsOf } from "../../src/handlers/derived.ts";
import { concerns } from "../../src/handlers/index.ts";
import { version } from "../../src/version.ts";
import { settingNames } from "../setting-names.ts";

const file = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");
const all = (text: string, pattern: RegExp) =>
  new Set([...text.matchAll(pattern)].map(([, it]) => it));

describe("README.md", () => {
  const readme = file("README.md");

  it("lists exactly the settings that the service reads", () => {
    const table = readme.slice(readme.indexOf("## Settings"), readme.indexOf("## Production"));
    expect(all(table, /`([A-Z]+_[A-Z_]+)`/g)).toEqual(settingNames());
  });

  it("lists exactly the endpoints", () => {
    const table = readme.slice(readme.indexOf("## Endpoints"), readme.indexOf("Errors carry"));
    const subjects = endpointsOf(concerns, "<instance id>").map(({ subject }) => subject);
    expect(all(table, /\| `(experience\.[^`]+)` \|/g)).toEqual(new Set(subjects));
  });

  it("names only commands that there are", () => {
    const { scripts } = JSON.parse(file("package.json"));
    for (const command of all(readme, /npm run ([a-z:]+)/g))
      expect(scripts).toHaveProperty([`${command}`]);
  });

  it("links only to files that there are", () => {
    for (const path of all(readme, /\]\(([^)#]+)\)/g)) {
      expect(existsSync(new URL(`../../${path}`, import.meta.url)), path).toBe(true);
    }
  });
});

describe("the command line", () => {
  it("is where package.json says, and in README.md with each of its commands", () => {
    const { bin } = JSON.parse(file("package.json"));
    const source = bin["experience-bus"].replace("dist/", "src/").replace(".js", ".ts");
    expect(existsSync(new URL(`../../${source}`, import.meta.url))).toBe(true);
    const commands = all(file("src/cli/program.ts"), /^ {2}\[?(\w+)\]?: async \(\) =>/gm);
    expect(commands.size).toBeGreaterThanOrEqual(18);
    for (const command of commands) {
      expect(file("README.md")).toContain(`\nexperience-bus ${command}`);
    }
  });
});

describe("CHANGELOG.md", () => {
  it("begins with the version of the package", () => {
    expect(/^## (\S+)/m.exec(file("CHANGELOG.md"))?.[1]).toBe(version);
  });
});
