import { once } from "node:events";
import { createServer } from "node:net";

/** What a replica tells of itself at `/metrics`. */

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

export async function metricsOf(port: number): Promise<string> {
  return await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
}

/** Of all series of a metric. */
export function sumOf(text: string, metric: string): number {
  const lines = text.split("\n").filter((line) => new RegExp(`^${metric}[{ ]`).test(line));
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" "))), 0);
}

/** How many calls of PostgreSQL it has made. */
export async function statementsOf(port: number): Promise<number> {
  return sumOf(await metricsOf(port), "postgres_statement_duration_seconds_count");
}
