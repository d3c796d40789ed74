import { expect, test } from "vitest";
import { run } from "./command.ts";

/** The commands that a help text lists, without `help` itself. */
function commandsIn(help: string): string[] {
  const [, section = ""] = /\nCommands:\n((?: .*\n)+)/.exec(help) ?? [];
  const names = [...section.matchAll(/^ {2}(\S+)/gm)].map(([, name = ""]) => name);
  return names.filter((name) => name !== "help");
}

async function everyHelp(path: string): Promise<{ path: string; help: string }[]> {
  const { out, complaints, code } = await run(`${path} --help`);
  expect([path, code, complaints]).toEqual([path, 0, ""]);
  const below = commandsIn(out).map((name) => everyHelp(`${path} ${name}`.trim()));
  return [{ path, help: out }, ...(await Promise.all(below)).flat()];
}

const all = everyHelp("");

test("there are the commands that are promised", async () => {
  const paths = (await all).map(({ path }) => path);
  const dlq = ["dlq", "dlq ls", "dlq show", "dlq replay", "dlq purge"];
  const lessons = ["lessons", "lessons ls", "lessons show"];
  for (const path of ["serve", "status", "publish", "probe", "config print", "completion"]) {
    expect(paths).toContain(path);
  }
  expect(paths).toEqual(expect.arrayContaining([...dlq, ...lessons]));
});

test("the help of every command says what it does, and has examples that name it", async () => {
  for (const { path, help } of await all) {
    const usage = `Usage: experience-bus ${path}`.trim();
    expect(help.startsWith(usage), path).toBe(true);
    expect(help, path).toMatch(/^Usage:[^\n]+\n\n\w[^\n]{10,}\n/);
    expect(help.slice(help.indexOf("\nExamples:\n")), path).toContain(
      `experience-bus ${path}`.trim(),
    );
  }
});

test("every option says what it means", async () => {
  for (const { path, help } of await all) {
    const options = [...help.matchAll(/^ {2}(?:-\w, )?(--\S+)(.*)$/gm)];
    expect(options.length, path).toBeGreaterThan(0);
    for (const [line] of options) expect(line.trim(), path).toMatch(/ {2,}\S|>$|\]$/);
  }
});

test("the help says what a dry run with something to do ends with, and what 3 means", async () => {
  for (const { path, help } of await all) {
    const isAsked = path === "provision" || path === "migrate";
    const sentence = "With --dry-run it ends with 0 though something is to be done";
    expect(help.includes(sentence), path).toBe(isAsked);
  }
  const { help } = (await all).find(({ path }) => path === "") ?? { help: "" };
  expect(help).toContain("3 not found (probe: no such replica)");
});

test("no help has colours, and NO_COLOR changes nothing", async () => {
  for (const env of [{}, { NO_COLOR: "1" }, { FORCE_COLOR: "1" }]) {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
    expect((await run("--help", env)).out).not.toMatch(/\u001b/);
  }
});

test("a command that is not there is bad usage, below others as well", async () => {
  for (const path of ["nonsense", "lessons nonsense", "config nonsense", "constructor"]) {
    expect(await run(path)).toMatchObject({ code: 2, out: "" });
  }
});
