export type Environment = Readonly<Record<string, string | undefined>>;
export type Reader = ReturnType<typeof reader>;

/** What a durable may be called: it names buckets too. */
export const durableName = [
  /^[A-Za-z0-9_-]{1,64}$/,
  "1 to 64 of letters, digits, - and _",
] as const;

/** No stream is of use with less. */
const leastBytes = 1_024 ** 2;

/** A variable that was read, and what it amounts to. */
export interface Reading {
  readonly name: string;
  /** Null: nothing is set, and there is no default. */
  readonly value: string | null;
  readonly fallback: string | null;
  readonly isSet: boolean;
}

/**
 * Reads variables of the environment; a value that is not as wanted adds a line to `problems`. Each that is
 * read is noted in `readings`.
 */
export function reader(env: Environment, problems: string[], readings: Reading[] = []) {
  const note = <T>(name: string, value: T, fallback: T | null): T => {
    const isSet = Boolean(env[name]);
    const text = (given: T | null) => (given === null || given === "" ? null : String(given));
    readings.push({ name, value: text(value), fallback: text(fallback), isSet });
    return value;
  };
  const refuse = <T>(name: string, wanted: string, fallback: T): T => {
    problems.push(`${name}=${env[name]} must be ${wanted}`);
    return fallback;
  };
  const readNumber = (name: string, fallback: number, least: number, most: number): number => {
    const text = env[name];
    if (text === undefined || text === "") return fallback;
    return (
      numberIn(text, least, most) ?? refuse(name, `a number from ${least} to ${most}`, fallback)
    );
  };
  const readOneOf = <const T extends string>(
    name: string,
    fallback: T,
    values: readonly T[],
  ): T => {
    const text = env[name];
    if (text === undefined || text === "") return fallback;
    return (
      values.find((value) => value === text.toLowerCase()) ??
      refuse(name, `one of ${values.join(", ")}`, fallback)
    );
  };
  const readSomeOf = <const T extends string>(
    name: string,
    values: readonly T[],
    aliases: Readonly<Record<string, T>> = {},
  ): readonly T[] =>
    someIn(env[name] ?? "", values, aliases) ??
    refuse(name, `all, or some of ${values.join(", ")}`, values);
  const readInteger = (name: string, fallback: number, least: number, most: number): number => {
    const value = readNumber(name, fallback, least, most);
    return Number.isInteger(value)
      ? value
      : refuse(name, `a whole number from ${least} to ${most}`, fallback);
  };
  return {
    number: (name: string, fallback: number, least: number, most: number): number =>
      note(name, readNumber(name, fallback, least, most), fallback),
    integer: (name: string, fallback: number, least: number, most: number): number =>
      note(name, readInteger(name, fallback, least, most), fallback),
    oneOf: <const T extends string>(name: string, fallback: T, values: readonly T[]): T =>
      note(name, readOneOf(name, fallback, values), fallback),
    someOf: <const T extends string>(
      name: string,
      values: readonly T[],
      aliases: Readonly<Record<string, T>> = {},
    ): readonly T[] => note(name, readSomeOf(name, values, aliases), values),
    /** A size in bytes: `1048576`, `512K`, `10MiB`, `1.5G`; null where it is not set. */
    bytes: (name: string): number | null => {
      const text = env[name] || "";
      const bytes = bytesIn(text);
      const isUsable = bytes >= leastBytes;
      if (text !== "" && !isUsable) refuse(name, "a size of 1M or more, like 512M or 10G", null);
      return note(name, isUsable ? bytes : null, null);
    },
    boolean: (name: string, fallback: boolean): boolean =>
      note(name, readOneOf(name, String(fallback), ["true", "false"]) === "true", fallback),
    matching: (name: string, fallback: string, pattern: RegExp, wanted: string): string => {
      const text = env[name] || fallback;
      return note(name, pattern.test(text) ? text : refuse(name, wanted, fallback), fallback);
    },
    /** As it is. */
    text: (name: string, fallback = ""): string =>
      note(name, env[name] || fallback, fallback || null),
    optional: <const N extends Record<string, string>>(names: N): { [K in keyof N]?: string } =>
      Object.fromEntries(
        Object.entries(names).flatMap(([key, name]) => {
          const text = note(name, env[name] || "", null);
          return text === "" ? [] : [[key, text]];
        }),
      ) as { [K in keyof N]?: string },
  };
}

/** Null: it is none, or outside these bounds. */
function numberIn(text: string, least: number, most: number): number | null {
  const value = /^[0-9.eE+-]+$/.test(text) ? Number(text) : Number.NaN;
  return value >= least && value <= most ? value : null;
}

/**
 * A list separated by commas, in the order of `values`; `all`, and nothing, stand for every one. Null: one of it is not
 * known. `aliases`: other names of some.
 */
export function someIn<const T extends string>(
  text: string,
  values: readonly T[],
  aliases: Readonly<Record<string, T>>,
): readonly T[] | null {
  const named = text.split(",").map((value) => value.trim().toLowerCase());
  const given: readonly string[] = named.map((value) => aliases[value] ?? value);
  const wanted = given.filter((value) => value !== "");
  if (wanted.length === 0 || wanted.includes("all")) return values;
  const unknown = wanted.some((value) => !values.some((one) => one === value));
  return unknown ? null : values.filter((value) => wanted.includes(value));
}

/** `1048576`, `512K`, `10MiB`, `1.5G`; 0 for what is no size. */
export function bytesIn(text: string): number {
  const [, count = "", unit = ""] = /^(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?$/i.exec(text) ?? [];
  if (unit === "") return Math.floor(Number(count));
  return Math.floor(Number(count) * 1_024 ** "KMGT".indexOf(unit.toUpperCase()) * 1_024);
}
