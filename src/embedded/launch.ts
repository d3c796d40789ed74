import { runCommand } from "./command.ts";

/**
 * Servers get an environment of their own: settings meant for a psql or nats client in the user's
 * shell (PGPORT, PGDATA) must not reach them, and PostgreSQL's messages stay English.
 */
export const serverEnv = { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", LC_ALL: "C" } as const;

export type Owner = { uid: number; gid: number };

/** How to start a server: the words before its own command, and the user to become, if any. */
export type Launch = { prefix: readonly string[]; uid?: number; gid?: number };

/**
 * A launch that ends the server with `deathSignal` when this process dies, even by SIGKILL, and that
 * becomes `owner` where one is given. Both are the work of setpriv (util-linux); where it is missing
 * the server outlives a killed parent.
 *
 * The owner keeps CAP_DAC_OVERRIDE: it has to reach binaries and data below folders that only root
 * may enter, as temporary folders are. access(2), with which initdb looks for its programs, drops
 * even that for an ordinary user unless no_setuid_fixup is set. Where these cannot be had, plain
 * file permissions decide.
 */
export async function prepareLaunch(deathSignal: "TERM" | "INT", owner?: Owner): Promise<Launch> {
  const die = ["setpriv", "--pdeathsig", deathSignal];
  if (owner === undefined) return { prefix: (await works(die)) ? die : [] };

  const become = [...die, "--reuid", `${owner.uid}`, "--regid", `${owner.gid}`, "--clear-groups"];
  const reach = ["--inh-caps", "+dac_override", "--ambient-caps", "+dac_override"];
  const reachByAccess = ["--securebits", "+no_setuid_fixup", ...reach];
  for (const rights of [reachByAccess, reach, []]) {
    const prefix = [...become, ...rights];
    if (await works(prefix)) return { prefix };
  }
  return { prefix: [], ...owner };
}

async function works([file = "", ...args]: readonly string[]): Promise<boolean> {
  return runCommand(file, [...args, "true"], { env: serverEnv }).then(
    () => true,
    () => false,
  );
}

/** The user a server runs as that refuses root: `postgres` if there is one, else `nobody`. */
export async function unprivilegedUser(): Promise<Owner> {
  const id = async (option: string, user: string) =>
    Number(await runCommand("id", [option, user], { env: serverEnv }));
  const find = async (user: string) => ({ uid: await id("-u", user), gid: await id("-g", user) });
  return find("postgres").catch(() => find("nobody"));
}
