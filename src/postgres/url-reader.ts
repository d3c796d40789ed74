import { knownParameters } from "./url-parameters.ts";

export type ParameterReader = ReturnType<typeof parameterReader>;

/** Reads parameters of a URL; what is not as wanted adds a line to `problems`. Values are never shown. */
export function parameterReader(
  parameters: ReadonlyMap<string, string>,
  problems: string[],
  warnings: string[],
) {
  const text = (name: string): string | undefined => parameters.get(name) || undefined;
  return {
    text,
    oneOf<const T extends string>(name: string, values: readonly T[]): T | undefined {
      const given = text(name)?.toLowerCase();
      if (given === undefined) return undefined;
      const found = values.find((value) => value.toLowerCase() === given);
      if (found === undefined) problems.push(`${name} must be one of ${values.join(", ")}`);
      return found;
    },
    count(name: string, least: number): number | undefined {
      const given = text(name);
      if (given === undefined) return undefined;
      const value = /^\d{1,9}$/.test(given) ? Number(given) : Number.NaN;
      if (value >= least) return value;
      problems.push(`${name} must be a whole number, ${least} at least`);
      return undefined;
    },
    flag(name: string): boolean | undefined {
      const given = text(name)?.toLowerCase();
      if (given === undefined) return undefined;
      if (/^(1|true|on|yes)$/.test(given)) return true;
      if (!/^(0|false|off|no)$/.test(given)) problems.push(`${name} must be true or false`);
      return false;
    },
    /** What is not read: warned of, refused or passed over, as its kind is. */
    refuseOthers(): void {
      for (const name of parameters.keys()) {
        const { kind, why } = Object.hasOwn(knownParameters, name)
          ? (knownParameters[name] ?? unknown)
          : unknown;
        if (kind === "ignored") warnings.push(`${name} is ignored: ${why}`);
        if (kind === "refused") problems.push(`${shown(name)}: ${why}`);
      }
    },
  };
}

const unknown = {
  kind: "refused",
  why: "unknown; a setting of the server is given like options=-c%20name=value",
} as const;

/** What looks like no name may be a piece of a password that was not encoded. */
function shown(name: string): string {
  return /^[a-z][a-z0-9_.]{0,39}$/i.test(name) ? name : "a parameter";
}
