import type { Command, Option } from "commander";

/** A word that can come next, and what it means. */
export interface Word {
  readonly text: string;
  readonly meaning: string;
}

/** What can follow a command, as the program itself declares it. */
export interface CommandNode {
  /** The words that lead to it, without the program's name: empty for the program itself. */
  readonly path: string;
  readonly subcommands: readonly Word[];
  readonly options: readonly Word[];
  /** The values of its argument, where these are known. */
  readonly values: readonly string[];
  /** It takes an argument that only the user knows, such as a file. */
  readonly isOpen: boolean;
}

/** The program first, then every command below it. */
export function commandTree(program: Command): CommandNode[] {
  return nodesOf(program, "");
}

/** An option, of whichever command, that is followed by a value. */
export interface ValuedOption {
  readonly name: string;
  /** Empty where only the user knows what can follow. */
  readonly values: readonly string[];
}

/** Each name once: an option of several commands has the same values in all of them. */
export function optionsWithValue(program: Command): ValuedOption[] {
  const found = new Map<string, readonly string[]>();
  for (const command of withDescendants(program)) {
    for (const option of optionsOf(command)) {
      if (!option.required && !option.optional) continue;
      for (const name of namesOf(option)) found.set(name, option.argChoices ?? []);
    }
  }
  return [...found].map(([name, values]) => ({ name, values }));
}

function withDescendants(command: Command): Command[] {
  return [command, ...command.commands.flatMap(withDescendants)];
}

function nodesOf(command: Command, path: string): CommandNode[] {
  const visible = command.createHelp().visibleCommands(command);
  const choices = command.registeredArguments.map(({ argChoices }) => argChoices);
  const node: CommandNode = {
    path,
    subcommands: visible.map((one) => ({ text: one.name(), meaning: one.description() })),
    options: optionsOf(command).flatMap((option) =>
      namesOf(option).map((text) => ({ text, meaning: option.description })),
    ),
    values: choices.flatMap((of) => of ?? []),
    isOpen: choices.some((of) => of === undefined),
  };
  const below = command.commands.flatMap((one) => nodesOf(one, `${path} ${one.name()}`.trim()));
  return [node, ...below];
}

function optionsOf(command: Command): Option[] {
  const help = command.createHelp();
  return [...help.visibleOptions(command), ...help.visibleGlobalOptions(command)];
}

function namesOf({ short, long }: Option): string[] {
  return [long, short].filter((name) => name !== undefined);
}
