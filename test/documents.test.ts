import { existsSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { endpoints } from "../src/subjects.ts";
import { version } from "../src/version.ts";

const file = (path: string) => readFileSync(new URL(`../${path}`, import.meta.url), "utf8");
const all = (text: string, pattern: RegExp) =>
  new Set([...text.matchAll(pattern)].map(([, it]) => it));

describe("README.md", () => {
  const readme = file("README.md");

  it("lists exactly the settings that the service reads", () => {
    const read = all(file("src/settings.ts") + file("src/environment.ts"), /"((?:NATS|EXPERIENCE|LEARNER|LESSON|HTTP|LOG|JETSTREAM|NODE|FEATURE|RUN|OTEL)_[A-Z_]+)"/g); // biome-ignore format: one pattern
    const table = readme.slice(readme.indexOf("## Settings"), readme.indexOf("Exit codes:"));
    expect(all(table, /`([A-Z]+_[A-Z_]+)`/g)).toEqual(read);
  });

  it("lists exactly the endpoints", () => {
    const table = readme.slice(readme.indexOf("## Endpoints"), readme.indexOf("Errors carry"));
    const subjects = [...Object.values(endpoints)].map((subject) =>
      typeof subject === "string" ? subject : subject("<instance id>"),
    );
    expect(all(table, /\| `(experience\.[^`]+)` \|/g)).toEqual(new Set(subjects));
  });

  it("names only commands that there are", () => {
    const { scripts } = JSON.parse(file("package.json"));
    for (const command of all(readme, /npm run ([a-z:]+)/g))
      expect(scripts).toHaveProperty([`${command}`]);
  });

  it("links only to files that there are", () => {
    for (const path of all(readme, /\]\(([^)#]+)\)/g)) {
      expect(existsSync(new URL(`../${path}`, import.meta.url)), path).toBe(true);
    }
  });
});

describe("the command line", () => {
  it("is where package.json says, and in README.md with each of its commands", () => {
    const { bin } = JSON.parse(file("package.json"));
    const source = bin["experience-bus"].replace("dist/", "src/").replace(".js", ".ts");
    expect(existsSync(new URL(`../${source}`, import.meta.url))).toBe(true);
    const commands = all(file("src/cli/dlq.ts"), /dlq\s*\.command\("(\w+)/g);
    expect(commands.size).toBe(4);
    for (const command of commands) expect(file("README.md")).toContain(`dlq ${command}`);
  });
});

describe("CHANGELOG.md", () => {
  it("begins with the version of the package", () => {
    expect(/^## (\S+)/m.exec(file("CHANGELOG.md"))?.[1]).toBe(version);
  });
});

describe("deploy/kubernetes/deployment.yaml", () => {
  const manifest = file("deploy/kubernetes/deployment.yaml");

  it("probes paths that the service answers, on the port that it is told", () => {
    const served = all(file("src/http.ts"), /app\.get\("(\/\w+)"/g);
    for (const path of all(manifest, /path: (\/\w+)/g)) expect(served).toContain(path);
    const port = /name: HTTP_PORT\n\s+value: "(\d+)"/.exec(manifest)?.[1];
    expect(manifest).toContain(`containerPort: ${port}`);
  });

  it("gives a stop longer than it may take", () => {
    const grace = Number(/terminationGracePeriodSeconds: (\d+)/.exec(manifest)?.[1]);
    expect(grace).toBeGreaterThan(10);
  });

  it("runs this version", () => {
    expect(manifest).toContain(`image: experience-bus:${version}`);
  });
});
