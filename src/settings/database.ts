import { BusError, messageOf } from "../errors.ts";
import type { DatabaseTarget } from "../postgres/target.ts";
import { partsOf, readDatabaseUrl } from "../postgres/url.ts";
import { knownParameters } from "../postgres/url-parameters.ts";
import type { Environment, Reader } from "./environment.ts";
import { unreadable } from "./nats.ts";

const name = "LEARNER_DATABASE_URL";
const passwordFile = "LEARNER_DATABASE_PASSWORD_FILE";
const example = "postgres://user:password@127.0.0.1:5432/experience_bus";

/** libpq's variables, and ours for a password in a file, each with the parameter that it stands for. */
const variables = Object.entries(knownParameters).flatMap(([parameter, { env }]) =>
  env === undefined ? [] : [{ parameter, variable: env }],
);

/** The environment without libpq's variables, for servers that they cannot be meant for. */
export function withoutLibpq(env: Environment): Environment {
  const names = new Set(variables.map(({ variable }) => variable));
  return Object.fromEntries(Object.entries(env).filter(([variable]) => !names.has(variable)));
}

/**
 * Where PostgreSQL is: the URL, with what libpq's variables say where the URL says nothing. `writes`: whoever asks wants
 * to write. Each thing that is not as it must be adds a line to `problems`, and what is not heeded to `warnings`.
 */
export function databaseUrl(
  env: Environment,
  read: Reader,
  problems: string[],
  { writes = true, warnings = [] as string[] } = {},
): string {
  const url = read.text(name).trim();
  // Where it is not set, it is a name to be known all the same; libpq's are known to everybody.
  read.optional({ passwordFile });
  for (const { variable } of variables) {
    if (env[variable] && variable !== passwordFile) read.text(variable);
  }
  if (url === "") {
    problems.push(`${name} is required (for example ${example})`);
    return url;
  }
  try {
    const whole = withVariables(url, env);
    const found = readDatabaseUrl(whole);
    problems.push(...found.problems.map((problem) => `${name}: ${inWords(problem, url, env)}`));
    problems.push(...fileProblems(found.target).map((problem) => `${name}: ${problem}`));
    if (writes && /^(read-only|standby|prefer-standby)$/.test(found.target.attributes)) {
      problems.push(`${name}: target_session_attrs must allow writing (any, read-write, primary)`);
    }
    warnings.push(...found.warnings.map((warning) => `${name}: ${inWords(warning, url, env)}`));
    return whole;
  } catch (error) {
    problems.push(`${name}: ${messageOf(error)}`);
    return url;
  }
}

/** Parameters of a URL that are known and not heeded, as sentences. */
export function databaseAdvice(url: string): string[] {
  try {
    return readDatabaseUrl(url).warnings.map((warning) => `${name}: ${warning}`);
  } catch (error) {
    if (error instanceof BusError) return [];
    throw error;
  }
}

/** Adds to the URL what the variables say and it does not. */
function withVariables(url: string, env: Environment): string {
  const { user, password, hosts, database, parameters } = partsOf(url);
  const said = new Set(parameters.keys());
  if (user !== "") said.add("user");
  if (database !== "") said.add("dbname");
  if (hosts.length > 0) for (const one of ["host", "hostaddr", "port"]) said.add(one);
  // One way to say the password is enough, and ours goes before libpq's.
  const ways = ["password_file", "password", "passfile"];
  const hasPassword = password !== "" || said.has("password");
  if (hasPassword || said.has("password_file")) said.add("password").add("passfile");
  else if (env[passwordFile]) said.add("password").add("passfile");
  else if (said.has("passfile")) for (const way of ways) said.add(way);
  if (said.has("sslmode")) said.add("ssl").add("requiressl");
  if (said.has("ssl")) said.add("sslmode").add("requiressl");
  const added = variables.flatMap(({ parameter, variable }) => {
    const value = env[variable];
    return value && !said.has(parameter) ? [`${parameter}=${encodeURIComponent(value)}`] : [];
  });
  if (added.length === 0) return url;
  return `${url}${url.includes("?") ? "&" : "?"}${added.join("&")}`;
}

/** A parameter that only a variable brings is called by the variable's name. */
function inWords(sentence: string, url: string, env: Environment): string {
  const said = partsOf(url).parameters;
  const [parameter = ""] = /^\w+/.exec(sentence) ?? [];
  const variable = variables.find((one) => one.parameter === parameter)?.variable;
  if (variable === undefined || said.has(parameter) || !env[variable]) return sentence;
  return sentence.replace(parameter, variable);
}

function fileProblems({ tls, password }: DatabaseTarget): string[] {
  const files = {
    ...(tls && { sslrootcert: tls.rootCert, sslcert: tls.cert, sslkey: tls.key, sslcrl: tls.crl }),
    ...(password.kind === "file" && { [passwordFile]: password.file }),
    ...(password.kind === "passfile" && { passfile: password.file }),
  };
  return Object.entries(files).flatMap(([what, file]) => {
    const problem = file === undefined ? null : unreadable(file);
    // Somebody may have put the secret itself here, so the value is not shown.
    return problem === null ? [] : [`${what} must name a file that can be read (${problem})`];
  });
}
