import type { Advice } from "./advice-row.ts";

/** What helps where shells and the programs that they run say in fixed words what is wrong. */
export const programAdvice: readonly Advice[] = [
  {
    name: "command_not_found",
    statuses: [],
    names: [],
    sentence: /^[\w.+/-]+: command not found$/i,
    of: "any",
    action:
      "Check which commands there are (command -v) before using one; install it, or call it through what provides it (such as python -m).",
    avoid: "Do not run a command again that the shell does not find.",
  },
  {
    name: "no_such_file",
    statuses: [],
    names: [],
    sentence:
      /^(?!ls:|find:|stat:|test:)[\w.+/-]+: (?:[^:]{1,80}: )?(?:errno 2 |\[errno 2\] )?no such file or directory(?:: <(?:s|path)>)?$/i,
    of: "any",
    action:
      "Look where the command runs and what is there (pwd, ls) before naming a file, and use the path as the listing has it.",
    avoid: "Do not guess the path again; the file is not where it was expected.",
  },
  {
    name: "python_does_not_parse",
    statuses: [],
    names: [],
    sentence:
      /^(?:(?:Indentation|Tab)Error: |SyntaxError: (?:invalid syntax|f-string|eol while scanning|eof while scanning|unexpected eof while parsing|unterminated (?:f-)?(?:triple-quoted )?(?:f-)?string literal|invalid non-printable character|invalid character)\b)/i,
    of: "any",
    action:
      "Write Python of more than one line to a file, and check that it parses (python -m py_compile FILE) before running it.",
    avoid: "Do not pass such code on the command line again, where the shell's quoting changes it.",
  },
  {
    name: "missing_module",
    statuses: [],
    names: [],
    sentence:
      /^(?:(?:ModuleNotFoundError|python|<path>|Error|ImportError): )?(?:no module named|cannot find module) [\w@./-]+$/i,
    of: "any",
    action:
      "Make the module importable before running the code: install it into the environment that runs, or run from the folder and with the path in which it lies.",
    avoid: "Do not run the same code again while the module is missing.",
  },
  {
    name: "no_match",
    statuses: [],
    names: [],
    sentence: /^(?:exit code 1[,:;]? )?no match(?:es)?(?: found)?$/i,
    of: "any",
    action:
      "Take it for an answer: nothing there matches. Before searching again, make the pattern shorter, ignore case, or search in a wider place.",
    avoid: "Do not run the same search again; nothing has changed that it could find.",
  },
  {
    name: "not_a_program",
    statuses: [],
    names: [],
    sentence: /^(?:python|<path>): no module named [\w.]+\.__main__\b/i,
    of: "any",
    action:
      "Run a module of that package, or the script with which the project runs it: the package itself is no program.",
    avoid: "Do not pass the name of that package to python -m again.",
  },
  {
    name: "ascii_output",
    statuses: [],
    names: [],
    sentence: /^UnicodeEncodeError: ascii codec can't encode\b/i,
    of: "any",
    action:
      "Run it with PYTHONUTF8=1 in the environment, or name the encoding utf-8 where the text is written.",
    avoid: "Do not run it unchanged; the same text fails in the same place.",
  },
];
