export type Environment = Readonly<Record<string, string | undefined>>;
export type Reader = ReturnType<typeof reader>;

/** Reads variables of the environment; a value that is not as wanted adds a line to `problems`. */
export function reader(env: Environment, problems: string[]) {
  const refuse = <T>(name: string, wanted: string, fallback: T): T => {
    problems.push(`${name}=${env[name]} must be ${wanted}`);
    return fallback;
  };
  const number = (name: string, fallback: number, least: number, most: number): number => {
    const text = env[name];
    if (text === undefined || text === "") return fallback;
    const value = /^[0-9.eE+-]+$/.test(text) ? Number(text) : Number.NaN;
    return value >= least && value <= most
      ? value
      : refuse(name, `a number from ${least} to ${most}`, fallback);
  };
  const oneOf = <const T extends string>(name: string, fallback: T, values: readonly T[]): T => {
    const text = env[name];
    if (text === undefined || text === "") return fallback;
    return (
      values.find((value) => value === text.toLowerCase()) ??
      refuse(name, `one of ${values.join(", ")}`, fallback)
    );
  };
  /** A list separated by commas; `all`, and nothing, stand for every one. */
  const someOf = <const T extends string>(name: string, values: readonly T[]): readonly T[] => {
    const given = (env[name] ?? "").split(",").map((value) => value.trim().toLowerCase());
    const wanted = given.filter((value) => value !== "");
    if (wanted.length === 0 || wanted.includes("all")) return values;
    const unknown = wanted.some((value) => !values.some((one) => one === value));
    if (unknown) return refuse(name, `all, or some of ${values.join(", ")}`, values);
    return values.filter((value) => wanted.includes(value));
  };
  return {
    number,
    oneOf,
    someOf,
    integer: (name: string, fallback: number, least: number, most: number): number => {
      const value = number(name, fallback, least, most);
      return Number.isInteger(value)
        ? value
        : refuse(name, `a whole number from ${least} to ${most}`, fallback);
    },
    boolean: (name: string, fallback: boolean): boolean =>
      oneOf(name, String(fallback), ["true", "false"]) === "true",
    matching: (name: string, fallback: string, pattern: RegExp, wanted: string): string => {
      const text = env[name] || fallback;
      return pattern.test(text) ? text : refuse(name, wanted, fallback);
    },
    optional: <const N extends Record<string, string>>(names: N): { [K in keyof N]?: string } =>
      Object.fromEntries(
        Object.entries(names).flatMap(([key, name]) => (env[name] ? [[key, env[name]]] : [])),
      ) as { [K in keyof N]?: string },
  };
}
