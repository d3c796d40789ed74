import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import postgres from "postgres";
import type { TestProject } from "vitest/node";
import { locateNatsServer } from "../../src/embedded/nats-binary.ts";
import { startPostgres } from "../../src/embedded/postgres.ts";
import { silentLog } from "../../src/postgres/client.ts";
import { migrate } from "../../src/postgres/migrate.ts";
import { templateDatabase } from "./database.ts";

declare module "vitest" {
  interface ProvidedContext {
    natsBinary: string;
    postgresUrl: string;
  }
}

/** Once per run: the nats-server binary, and a PostgreSQL with a migrated template database. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const dataDir = mkdtempSync(join(tmpdir(), "experience-bus-test-"));
  const [natsBinary, server] = await Promise.all([
    locateNatsServer({ env: process.env, log: (line) => console.error(line) }),
    startPostgres({ dataDir, settings: { fsync: "off" } }),
  ]);
  const admin = postgres(server.url, { max: 1, onnotice: () => undefined });
  await admin.unsafe(`CREATE DATABASE ${templateDatabase}`);
  await admin.end();
  await migrate(server.url.replace(/[^/]*$/, templateDatabase), { log: silentLog });
  project.provide("natsBinary", natsBinary);
  project.provide("postgresUrl", server.url);
  return async () => {
    await server.stop("immediate");
    rmSync(dataDir, { recursive: true, force: true });
  };
}
