import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, inject, onTestFinished, test, vi } from "vitest";
import { startNatsServer } from "../../src/embedded/nats-server.ts";
import { run } from "../cli/command.ts";
import { freshDatabase } from "../rig/database.ts";
import { eventually } from "../rig/eventually.ts";
import { freePort } from "../rig/ports.ts";
import { startReplicaOfTest } from "../rig/replica.ts";
import { openStack } from "../rig/service.ts";
import { failures } from "../rig/traffic.ts";

/** Processes and servers are started, several in each test. */
vi.setConfig({ testTimeout: 90_000 });

function configFile(text: string): string[] {
  const folder = mkdtempSync(join(tmpdir(), "experience-bus-nats-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, "server.conf");
  writeFileSync(file, text);
  return ["-c", file];
}

/** A server whose only account has these limits. */
const limited = (limits: string) =>
  openStack(
    configFile(`no_auth_user: app
      accounts { APP { jetstream { ${limits} }, users: [{ user: app, password: app }] } }`),
  );

const findings = (out: string) =>
  JSON.parse(out).findings.map(({ status, text }: Record<string, string>) => `${status} ${text}`);

test("an account that demands max_bytes: refused with what to set, and served once it is set", async () => {
  const stack = await limited("max_file: 1G, max_bytes_required: true");
  const replica = startReplicaOfTest(stack.env());
  expect(await replica.exited).toEqual({ code: 2, signal: null });
  expect(replica.hasLogged(/the account demands a size of each stream: set JETSTREAM_MAX_BYTES/)).toBe(true); // biome-ignore format: one line
  const advised = findings((await run("doctor --json", stack.env())).out).join("\n");
  expect(advised).toMatch(/failed the account demands a size .*: set JETSTREAM_MAX_BYTES to \d+ at most/); // biome-ignore format: one line
  expect(advised).not.toContain("provision makes it");

  const service = await stack.start({ JETSTREAM_MAX_BYTES: "8M", JETSTREAM_MAX_AGE_DAYS: "3" });
  await eventually(async () => (await service.health()).status === "ok");
  for (const name of ["EXPERIENCE", "LESSONS", "DEAD_LETTERS", "RUNS"]) {
    const { config } = await stack.broker.jsm.streams.info(name);
    expect([config.max_bytes, config.max_age]).toEqual([8 * 1_024 ** 2, 3 * 86_400e9]);
  }
  // What others have made keeps its age: that is no drift.
  const later = await stack.start({ JETSTREAM_MAX_BYTES: "9M", JETSTREAM_MAX_AGE_DAYS: "5" });
  expect(later.log.filter(({ level }) => level >= 40)).toEqual([]);
});

test("an account with too few streams: how many are needed, and which concern costs how many", async () => {
  const stack = await limited("max_streams: 7");
  const replica = startReplicaOfTest(stack.env());
  expect((await replica.exited).code).toBe(2);
  const said = JSON.stringify(replica.log);
  expect(said).toMatch(
    /maximum number of streams reached: raise the account's limit of streams, or/,
  );
  const [, needed] = /(\d+) streams and \d+ consumers are needed; without extractor/.exec(said) ?? []; // biome-ignore format: one line
  expect(Number(needed)).toBeGreaterThan(7);
  const { jsm } = stack.broker;
  for (const { config } of await jsm.streams.list().next()) await jsm.streams.delete(config.name);

  const { out } = await run("doctor --json", stack.env());
  expect(findings(out).join("\n")).toMatch(
    new RegExp(`failed the account allows 7 streams, 0 are there and ${needed} are to be made`),
  );
  const few = await stack.start({ EXPERIENCE_CONCERNS: "extractor,deadletters" });
  await eventually(async () => (await few.health()).status === "ok");
});

test("where a server has no room for the sizes that streams have by default, they are made without", async () => {
  const stack = await openStack(configFile("jetstream { max_file_store: 12G }"));
  const service = await stack.start();
  await eventually(async () => (await service.health()).status === "ok");
  const { jsm } = stack.broker;
  const sizes = await Promise.all(
    ["EXPERIENCE", "SIGNALS", "FEEDBACK", "RUNS"].map(
      async (name) => (await jsm.streams.info(name)).config.max_bytes,
    ),
  );
  expect(sizes.filter((bytes) => bytes === 9_500_000_000).length).toBeLessThanOrEqual(1);
  expect(sizes).toContain(-1);
});

async function start(config: string) {
  const dataDir = mkdtempSync(join(tmpdir(), "experience-bus-nats-"));
  const binary = inject("natsBinary");
  const server = await startNatsServer({ binary, dataDir, args: configFile(config) });
  onTestFinished(async () => {
    await server.stop();
    rmSync(dataDir, { recursive: true, force: true });
  });
  return server;
}

/** A hub with the domain `hub`, and a leaf node of it that has a JetStream of its own. */
async function openLeaf() {
  const leafPort = await freePort();
  const hub = await start(`server_name: hub, jetstream { domain: hub }
    leafnodes { listen: "127.0.0.1:${leafPort}" }`);
  const leaf = await start(`server_name: leaf, jetstream { domain: leaf }
    leafnodes { remotes: [{ url: "nats://127.0.0.1:${leafPort}" }] }`);
  return { hub, leaf };
}

test("behind a leaf node the JetStream of NATS_JS_DOMAIN is used; a domain that nobody has ends with 2", async () => {
  const [{ hub, leaf }, database] = await Promise.all([openLeaf(), freshDatabase()]);
  onTestFinished(() => database.drop());
  const env = { NATS_URL: leaf.url, LEARNER_DATABASE_URL: database.url, HTTP_PORT: "0" };
  const lost = startReplicaOfTest({ ...env, NATS_JS_DOMAIN: "nowhere" });
  const replica = startReplicaOfTest({ ...env, NATS_JS_DOMAIN: "hub" });
  await replica.ready();
  const input = failures(3).map((event) => `${JSON.stringify(event)}\n`).join(""); // biome-ignore format: one line
  const published = await run("publish -", { NATS_URL: leaf.url, NATS_JS_DOMAIN: "hub" }, input);
  expect(published.out).toContain("3 stored");
  const learned = async () => (await database.sql`SELECT FROM agent_lessons`).length;
  await eventually(async () => (await learned()) === 1, 20_000);
  const doctor = await run("doctor --json", { ...env, NATS_JS_DOMAIN: "hub" });
  expect(findings(doctor.out).filter((one: string) => one.startsWith("failed"))).toEqual([]);
  expect((await run("provision --dry-run", { ...env, NATS_URL: hub.url })).out).toContain(
    "JetStream is as the settings want it.",
  );
  expect((await lost.exited).code).toBe(2);
  expect(JSON.stringify(lost.log)).toContain("no JetStream answers at $JS.nowhere.API");
});

/** What the account of the servers exports, and the other one imports: the API and buckets under a prefix. */
const api = ["STREAM.>", "CONSUMER.>", "DIRECT.>", "INFO"];
const others = ["$JS.ACK.>", "agent.experience.v1.>", "agent.lesson.v1", "dead.>"];
const exportOf = (subject: string) => `{ service: "${subject}", response_type: stream }`;
const importOf = (subject: string, to = subject) =>
  `{ service: { account: HUB, subject: "${subject}" }, to: "${to}" }`;
const imported = `accounts {
  HUB {
    jetstream: enabled, users: [{ user: hub, password: hub }]
    exports: [${[...api.map((one) => `$JS.API.${one}`), "$KV.>", ...others].map(exportOf).join()}]
  }
  APP {
    users: [{ user: app, password: app }]
    imports: [
      ${api.map((one) => importOf(`$JS.API.${one}`, `JS.hub.API.${one}`)).join()},
      ${importOf("$KV.>", "JS.hub.API.$KV.>")}, ${others.map((one) => importOf(one)).join()}
    ]
  }
}`;

test("a JetStream API that is imported from another account is used under its prefix", async () => {
  const [server, database] = await Promise.all([start(imported), freshDatabase()]);
  onTestFinished(() => database.drop());
  const env = {
    ...{ NATS_URL: server.url, NATS_USER: "app", NATS_PASSWORD: "app" },
    ...{ NATS_JS_API_PREFIX: "JS.hub.API", LEARNER_DATABASE_URL: database.url },
    EXPERIENCE_CONCERNS: "extractor",
  };
  const replica = startReplicaOfTest(env);
  await replica.ready();
  const input = failures(3).map((event) => `${JSON.stringify(event)}\n`).join(""); // biome-ignore format: one line
  expect((await run("publish -", env, input)).out).toContain("3 stored");
  const learned = async () => (await database.sql`SELECT FROM agent_lessons`).length;
  await eventually(async () => (await learned()) === 1, 20_000);
});
