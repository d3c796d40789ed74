import { Argument, type Command } from "commander";
import {
  type CommandNode,
  commandTree,
  optionsWithValue,
  type ValuedOption,
  type Word,
} from "./command-tree.ts";
import { examples } from "./print.ts";

/** `completion bash|zsh|fish`: a script that completes commands and options, made from the commands. */
export function addCompletionCommand(program: Command): void {
  program
    .command("completion")
    .description("prints a script that completes commands and options in your shell")
    .addArgument(new Argument("<shell>", "which shell").choices(["bash", "zsh", "fish"]))
    .addHelpText(
      "after",
      examples(
        "completion bash > /etc/bash_completion.d/experience-bus",
        "completion zsh > ~/.zfunc/_experience-bus        # a folder of fpath",
        "completion fish > ~/.config/fish/completions/experience-bus.fish",
      ),
    )
    .action((shell: "bash" | "zsh" | "fish") => {
      const scripts = { bash: bashScript, zsh: zshScript, fish: fishScript };
      console.log(scripts[shell](commandTree(program), optionsWithValue(program)));
    });
}

type Script = (nodes: readonly CommandNode[], valued: readonly ValuedOption[]) => string;

const name = "experience-bus";

/** Every command as `path/word`, by which the scripts follow the words that are there already. */
function steps(nodes: readonly CommandNode[]): string {
  const all = nodes.flatMap(({ path, subcommands }) =>
    subcommands.map(({ text }) => quoted(`${path}/${text}`)),
  );
  return all.join("|");
}

function alternatives(valued: readonly ValuedOption[]): string {
  return valued.map(({ name: option }) => option).join("|");
}

/** Those of which it is known what can follow. */
function withChoices(valued: readonly ValuedOption[]): readonly ValuedOption[] {
  return valued.filter(({ values }) => values.length > 0);
}

const bashScript: Script = (nodes, valued) => `# ${name}: completion for bash
_experience_bus() {
  local current=\${COMP_WORDS[COMP_CWORD]} path= words= i word
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=\${COMP_WORDS[i]}
    case $word in ${alternatives(valued)}) ((i++)) ;; esac
    case $path/$word in ${steps(nodes)}) path="\${path:+$path }$word" ;; esac
  done
  if ((i > COMP_CWORD)); then
    case $word in
${withChoices(valued).map(bashValues).join("\n")}
    esac
    return
  fi
  case $path in
${nodes.map(bashCase).join("\n")}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _experience_bus ${name}`;

function bashValues({ name: option, values }: ValuedOption): string {
  return `      ${option}) COMPREPLY=($(compgen -W ${quoted(values.join(" "))} -- "$current")) ;;`;
}

/** Options show themselves once a dash is typed, or where nothing else can come. */
function bashCase(node: CommandNode): string {
  const { path, values, options, isOpen } = node;
  const plain = [...node.subcommands.map(({ text }) => text), ...values].join(" ");
  const dashed = options.map(({ text }) => text).join(" ");
  const otherwise = plain === "" && !isOpen ? dashed : plain;
  const words = `if [[ $current == -* ]]; then words=${quoted(dashed)}; else words=${quoted(otherwise)}; fi`;
  return `    ${quoted(path)}) ${words} ;;`;
}

const zshScript: Script = (nodes, valued) => `#compdef ${name}
# ${name}: completion for zsh
_experience_bus() {
  local at= word
  local -i i
  local -a subcommands options
  for ((i = 2; i < CURRENT; i++)); do
    word=\${words[i]}
    case $word in (${alternatives(valued)}) ((i++)) ;; esac
    case $at/$word in (${steps(nodes)}) at="\${at:+$at }$word" ;; esac
  done
  if ((i > CURRENT)); then
    case $word in
${withChoices(valued).map(zshValues).join("\n")}
      (*) _files ;;
    esac
    return
  fi
  case $at in
${nodes.map(zshCase).join("\n")}
  esac
}
if [[ \${funcstack[1]} == _experience-bus ]]; then _experience_bus "$@"
else compdef _experience_bus ${name}; fi`;

function zshValues({ name: option, values }: ValuedOption): string {
  return `      (${option}) options=(${values.map(quoted).join(" ")}); _describe value options ;;`;
}

function zshCase({ path, subcommands, options, values, isOpen }: CommandNode): string {
  const described = (words: readonly Word[]) =>
    words.map(({ text, meaning }) => quoted(`${text.replaceAll(":", "\\:")}:${meaning}`)).join(" ");
  const plain = [...subcommands, ...values.map((text) => ({ text, meaning: "" }))];
  const lines = [`    (${quoted(path)})`, `      options=(${described(options)})`];
  if (plain.length > 0) {
    lines.push(`      subcommands=(${described(plain)})`, "      _describe command subcommands");
  }
  if (isOpen) lines.push("      _files");
  lines.push("      _describe -o option options ;;");
  return lines.join("\n");
}

const fishScript: Script = (nodes, valued) => `# ${name}: completion for fish
function __experience_bus_at
  set -l at
  set -l skip 0
  for word in (commandline -opc)[2..-1]
    if test $skip = 1
      set skip 0
      continue
    end
    contains -- $word ${alternatives(valued).replaceAll("|", " ")}; and set skip 1
    contains -- "$at/$word" ${steps(nodes).replaceAll("|", " ")}; and set at (string trim "$at $word")
  end
  test "$at" = "$argv[1]"
end
complete -c ${name} -f
${nodes.flatMap((node) => fishLines(node, valued)).join("\n")}`;

function fishLines(node: CommandNode, valued: readonly ValuedOption[]): string[] {
  const begin = `complete -c ${name} -n ${fishQuoted(`__experience_bus_at ${fishQuoted(node.path)}`)}`;
  const words = [...node.subcommands, ...node.values.map((text) => ({ text, meaning: "" }))];
  return [
    ...words.map(({ text, meaning }) => `${begin} -a ${text} -d ${fishQuoted(meaning)}`),
    ...node.options.map(({ text, meaning }) => {
      const flag = text.startsWith("--") ? `-l ${text.slice(2)}` : `-s ${text.slice(1)}`;
      return `${begin} ${flag}${fishValues(text, valued)} -d ${fishQuoted(meaning)}`;
    }),
    ...(node.isOpen ? [`${begin} -F`] : []),
  ];
}

function fishValues(text: string, valued: readonly ValuedOption[]): string {
  const values = valued.find(({ name: option }) => option === text)?.values;
  if (values === undefined) return "";
  return values.length > 0 ? ` -x -a ${fishQuoted(values.join(" "))}` : " -r";
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

function fishQuoted(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}
