import { existsSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { readSettings } from "../../src/settings/index.ts";
import { version } from "../../src/version.ts";

const file = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");

/** Instructions, with continued lines joined and comments left out. */
const instructions = file("deploy/Dockerfile")
  .replaceAll(/^#.*\n/gm, "")
  .replaceAll(/\\\n\s*/g, "")
  .split("\n")
  .filter((line) => line !== "");
const final = instructions.slice(instructions.findLastIndex((line) => line.startsWith("FROM ")));
const argumentOf = (name: string) =>
  final.find((line) => line.startsWith(`${name} `))?.slice(name.length + 1);

describe("deploy/Dockerfile", () => {
  it("builds on one exact version of Node.js, which a digest can replace", () => {
    expect(instructions[0]).toMatch(/^ARG NODE_IMAGE=node:\d+\.\d+\.\d+-[a-z]+-slim$/);
    const bases = instructions.filter((line) => line.startsWith("FROM "));
    const image = "$".concat("{NODE_IMAGE}");
    expect(bases).toEqual([`FROM ${image} AS build`, `FROM ${image}`]);
    const [, major] = /node:(\d+)/.exec(String(instructions[0])) ?? [];
    const [, least] = />=(\d+)/.exec(JSON.parse(file("package.json")).engines.node) ?? [];
    expect(Number(major)).toBeGreaterThanOrEqual(Number(least));
  });

  it("runs as a user by number, who owns nothing in the image", () => {
    expect(argumentOf("USER")).toBe("1000:1000");
    expect(final.filter((line) => /--chown|chmod|chown/.test(line))).toEqual([]);
  });

  it("makes node itself process 1, and starts what the build makes", () => {
    const [entry, command] = ["ENTRYPOINT", "CMD"].map((name) =>
      JSON.parse(String(argumentOf(name))),
    );
    expect(entry).toEqual(["node"]);
    expect(command).toEqual(["dist/main.js"]);
    expect(argumentOf("ENV")).toBe("NODE_ENV=production");
  });

  it("leaves npm, tests and what only the build needs behind", () => {
    const copied = final.filter((line) => line.startsWith("COPY "));
    expect(copied.map((line) => line.split(" ").at(-1))).toEqual([
      "./",
      "node_modules",
      "dist",
      "drizzle",
    ]);
    expect(instructions.join("\n")).toContain("npm prune --omit=dev --omit=optional");
    expect(final.filter((line) => line.startsWith("RUN "))[0]).toContain(
      "rm -rf /usr/local/lib/node_modules",
    );
  });

  it("says which version it is, and on which port it listens", () => {
    const { httpPort } = readSettings({
      NATS_URL: "nats://n",
      LEARNER_DATABASE_URL: "postgres://a:b@c:5432/d",
    });
    expect(final).toContain(`ARG VERSION=${version}`);
    expect(final).toContain(`EXPOSE ${httpPort}`);
    expect(argumentOf("LABEL")).toContain("org.opencontainers.image.version=");
    const health = instructions.find((line) => line.startsWith("HEALTHCHECK "));
    expect(health).toContain(`|| ${httpPort}}/livez`);
    expect(health).toMatch(/CMD \["node", "-e", /);
  });

  it("is given no more than it copies", () => {
    const [first, ...allowed] = file(".dockerignore")
      .split("\n")
      .filter((line) => /^[^#]/.test(line));
    expect(first).toBe("*");
    const sources = instructions
      .filter((line) => /^COPY (?!--from)/.test(line))
      .flatMap((line) => line.split(" ").slice(1, -1));
    expect(allowed.map((line) => line.slice(1)).sort()).toEqual([...new Set(sources)].sort());
    for (const source of sources)
      expect(existsSync(new URL(`../../${source}`, import.meta.url))).toBe(true);
  });

  it("is built as deploy/README.md says", () => {
    const readme = file("deploy/README.md");
    expect(readme).toContain(`docker build -f deploy/Dockerfile -t experience-bus:${version} .`);
    expect(readme).toContain(
      `NODE_IMAGE=${/NODE_IMAGE=(\S+)/.exec(String(instructions[0]))?.[1]}@sha256:`,
    );
  });
});
