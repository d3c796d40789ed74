import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";

/** Those of both servers. */
export interface Ports {
  readonly nats: number;
  readonly postgres: number;
}

const fileName = "ports.json";

/** Of the ports that servers on this folder had last, those that are free now; it is said of the others. */
export async function rememberedPorts(
  dataDir: string,
  log: (line: string) => void,
): Promise<Partial<Ports>> {
  const known = await readPorts(dataDir);
  const free: { nats?: number; postgres?: number } = {};
  for (const [name, server] of [
    ["nats", "nats-server"],
    ["postgres", "PostgreSQL"],
  ] as const) {
    const port = known[name];
    if (port === undefined) continue;
    if (await isFree(port)) free[name] = port;
    else log(`port ${port} of ${server} is taken by another program: it gets another one`);
  }
  return free;
}

export async function rememberPorts(dataDir: string, ports: Ports): Promise<void> {
  await writeFile(join(dataDir, fileName), `${JSON.stringify(ports)}\n`);
}

async function readPorts(dataDir: string): Promise<Partial<Ports>> {
  try {
    const { nats, postgres } = JSON.parse(await readFile(join(dataDir, fileName), "utf8"));
    const isPort = (port: unknown) => Number.isInteger(port) && Number(port) > 0;
    return { ...(isPort(nats) && { nats }), ...(isPort(postgres) && { postgres }) };
  } catch {
    return {}; // The first start, or a file that somebody has spoilt: any ports will do.
  }
}

async function isFree(port: number): Promise<boolean> {
  const probe = createServer().listen(port, "127.0.0.1");
  try {
    await once(probe, "listening");
  } catch {
    return false;
  }
  probe.close();
  await once(probe, "close");
  return true;
}
