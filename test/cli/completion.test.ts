import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { run } from "./command.ts";

const folder = mkdtempSync(join(tmpdir(), "experience-bus-completion-"));
const script = (shell: string) => join(folder, shell);
afterAll(() => rmSync(folder, { recursive: true }));
beforeAll(async () => {
  for (const shell of ["bash", "zsh", "fish"]) {
    const { out, code } = await run(`completion ${shell}`);
    expect(code).toBe(0);
    writeFileSync(script(shell), out);
  }
});

const without = (shell: string) => spawnSync(shell, ["--version"]).error !== undefined;

/** What each shell offers after these words; the last one is being typed. */
const offered = {
  bash(...words: string[]): string[] {
    const code = `source ${script("bash")}
      COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _experience_bus; printf '%s\\n' "\${COMPREPLY[@]}"`;
    return lines(execFileSync("bash", ["-c", code, "bash", "experience-bus", ...words]));
  },
  fish(...words: string[]): string[] {
    const code = `source ${script("fish")}; complete -C "experience-bus ${words.join(" ")}"`;
    return lines(execFileSync("fish", ["--no-config", "-c", code], { env: shellEnv }));
  },
  /** The script itself, with the function that would show what it has found. */
  zsh(...words: string[]): string[] {
    const code = `compdef() { : }; source ${script("zsh")}
      _describe() { print -l -- \${(P)argv[-1]} }; _files() { print FILES }
      words=("$@"); CURRENT=$#; _experience_bus`;
    const all = lines(
      execFileSync("zsh", ["-f", "-c", code, "zsh", "experience-bus", ...words], { env: shellEnv }),
    );
    const typed = words.at(-1) ?? "";
    return all.filter((word) => word.startsWith(typed) && (typed !== "" || !word.startsWith("-")));
  },
} as const;

const shellEnv = { PATH: process.env["PATH"] ?? "", HOME: folder };

/** Without what the words mean. */
const lines = (out: Buffer) =>
  String(out).split("\n").filter(Boolean).map((line) => line.split(/[\t:]/)[0] ?? ""); // biome-ignore format: short

for (const shell of ["bash", "zsh", "fish"] as const) {
  describe.skipIf(without(shell))(shell, () => {
    const after = (...words: string[]) => offered[shell](...words).sort();

    test("completes commands and commands below them", () => {
      expect(after("")).toEqual(expect.arrayContaining(["dlq", "publish", "serve", "status"]));
      expect(after("le")).toEqual(["lessons"]);
      expect(after("lessons", "")).toEqual(expect.arrayContaining(["help", "ls", "show"]));
      expect(after("completion", "")).toEqual(["bash", "fish", "zsh"]);
    });

    test("completes the options of the command that is there, and those of all", () => {
      expect(after("dlq", "ls", "--re")).toEqual(["--reason", "--replayed"]);
      expect(after("dlq", "ls", "--js")).toEqual(["--json"]);
      expect(after("probe", "--re")).toEqual([]);
      expect(after("probe", "--ins")).toEqual(["--instance"]);
    });

    test("completes the values of an option that are known", () => {
      expect(after("lessons", "ls", "--type", "")).toEqual(["error", "latency", "silent"]);
      expect(after("lessons", "ls", "--type", "si")).toEqual(["silent"]);
      expect(after("lessons", "ls", "--type", "error", "--ag")).toEqual(["--agent"]);
    });

    test("takes the value of an option for no command", () => {
      expect(after("--server", "dlq", "lessons", "")).toEqual(after("lessons", ""));
      expect(after("dlq", "--stream", "show", "ls", "--op")).toEqual(["--open"]);
    });
  });
}

test.skipIf(without("bash"))(
  "bash completes the command once the script is read, else files",
  () => {
    const code = `source ${script("bash")}; complete -p experience-bus`;
    const said = String(execFileSync("bash", ["-c", code]));
    expect(said.trim()).toBe("complete -o default -F _experience_bus experience-bus");
    expect(offered.bash("publish", "")).toEqual([]);
  },
);

test.skipIf(without("zsh"))("zsh completes in an interactive shell", () => {
  const code = `zmodload zsh/zpty; zpty shell zsh -f -i
    zpty -w shell "autoload -U compinit; compinit -u -D; source ${script("zsh")}; PS1=; print REA''DY"
    zpty -r -m shell text '*READY*'
    zpty -n -w shell $'experience-bus compl\\t'
    zpty -r -m shell text '*etion*'; print -r -- $text; zpty -d shell`;
  const out = execFileSync("zsh", ["-f", "-c", code], { env: shellEnv, timeout: 20_000 });
  expect(String(out)).toMatch(/compl.?etion/);
});

test("a shell that it does not know is bad usage", async () => {
  const { complaints, code } = await run("completion powershell");
  expect(complaints).toContain("Allowed choices are bash, zsh, fish");
  expect(code).toBe(2);
});
