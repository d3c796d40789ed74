import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { jetstreamManager } from "@nats-io/jetstream";
import { connect, nanos } from "@nats-io/transport-node";
import { generate } from "selfsigned";
import { expect, inject, onTestFinished, test } from "vitest";
import { type NatsServer, startNatsServer } from "../../src/embedded/nats-server.ts";
import { desiredState } from "../../src/handlers/derived.ts";
import { provision } from "../../src/nats/provision.ts";
import { readSettings } from "../../src/settings/index.ts";
import { emptyDatabase, freshDatabase } from "../rig/database.ts";
import { oldNatsServer } from "../rig/old-nats.ts";
import { run } from "./command.ts";

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), "experience-bus-doctor-"));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

async function startServer(config = "", binary = inject("natsBinary")): Promise<NatsServer> {
  const dataDir = folder();
  writeFileSync(join(dataDir, "server.conf"), config);
  const args = ["-c", join(dataDir, "server.conf")];
  const server = await startNatsServer({ binary, dataDir, args });
  onTestFinished(() => server.stop());
  return server;
}

/** The port of one that is no server at all, and treats whoever connects like this. */
async function startOther(treat: (socket: Socket) => void): Promise<string> {
  const sockets: Socket[] = [];
  const other = createServer((socket) => {
    sockets.push(socket);
    treat(socket.on("error", () => undefined));
  }).listen(0, "127.0.0.1");
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    other.close();
  });
  await once(other, "listening");
  return `127.0.0.1:${(other.address() as AddressInfo).port}`;
}

/** A server and a database that lack nothing. */
async function openServers(config = "", credentials = {}, more: Record<string, string> = {}) {
  const [server, database] = await Promise.all([startServer(config), freshDatabase()]);
  onTestFinished(() => database.drop());
  const env = { NATS_URL: server.url, LEARNER_DATABASE_URL: database.url, ...more };
  const nc = await connect({ servers: server.url, ...credentials });
  onTestFinished(() => nc.close());
  const jsm = await jetstreamManager(nc);
  const settings = readSettings(env);
  await provision(jsm, desiredState(settings), "apply");
  return { env, jsm, sql: database.sql };
}

/** What it says of each check that is not fine, and how it ends. */
async function doctor(env: Record<string, string>) {
  const { out, code, complaints } = await run("doctor --json --timeout 5", env);
  expect(complaints).toBe("");
  const { findings } = JSON.parse(out) as {
    findings: { check: string; status: string; text: string }[];
  };
  const told = findings
    .filter(({ status }) => status !== "ok")
    .map(({ check, status, text }) => `${status} ${check}: ${text}`);
  return { told, code };
}

test("where nothing is wrong it says so, check by check, and ends with 0", async () => {
  const { env } = await openServers();
  expect(await doctor(env)).toEqual({ told: [], code: 0 });
  const { out } = await run("doctor", env);
  expect(out).toMatch(/ok {6}streams and durables: as the settings want them/);
  expect(out).toMatch(/\n0 failed, 0 warnings, \d+ passed\n$/);
});

test("a wrong password of NATS", async () => {
  const { env } = await openServers('authorization { user: "svc", password: "right" }', {
    ...{ user: "svc", pass: "right" },
  });
  const { told, code } = await doctor({ ...env, NATS_USER: "svc", NATS_PASSWORD: "wr0ng" });
  expect(told).toEqual([expect.stringMatching(/^failed NATS at \S+: .*Authorization Violation/i)]);
  expect(told.join()).not.toContain("wr0ng");
  expect(code).toBe(1);
});

test("a wrong password of PostgreSQL", async () => {
  const { env } = await openServers();
  const url = new URL(env.LEARNER_DATABASE_URL);
  url.password = "wr0ng";
  const { told, code } = await doctor({ ...env, LEARNER_DATABASE_URL: url.href });
  expect(told).toEqual([
    expect.stringMatching(/^failed PostgreSQL: password authentication failed/),
  ]);
  expect(told.join()).not.toContain("wr0ng");
  expect(code).toBe(1);
});

test("a missing permission, by its name", async () => {
  const users = `authorization { users: [
    { user: "all", password: "p" }
    { user: "svc", password: "p", permissions: {
      publish: { allow: [">"], deny: ["$JS.ACK.EXPERIENCE.experience-learner-v1.>", "$KV.>"] }
      subscribe: { allow: [">"], deny: ["experience.stats"] }
    } }
  ] }`;
  const { env } = await openServers(users, { user: "all", pass: "p" });
  const { told, code } = await doctor({ ...env, NATS_USER: "svc", NATS_PASSWORD: "p" });
  expect(told).toContain(
    'failed permissions: missing: publish to "$JS.ACK.EXPERIENCE.experience-learner-v1.>" (acknowledges messages)',
  );
  expect(told).toContain(
    'failed permissions: missing: subscribe to "experience.stats" in queue group "experience-bus" (takes requests)',
  );
  const { streams } = desiredState(readSettings({ NATS_URL: "nats://n" }, ["nats"]));
  const buckets = streams.filter(({ stream }) => stream.name.startsWith("KV_"));
  expect(told.filter((one) => one.includes("$KV."))).toHaveLength(buckets.length);
  expect(code).toBe(1);
});

test("a nats-server that is too old, with its version and the least that is needed", async ({
  skip,
}) => {
  const binary = await oldNatsServer("2.9");
  if (binary === null) return skip("there is no such server here");
  const [server, database] = await Promise.all([startServer("", binary), freshDatabase()]);
  onTestFinished(() => database.drop());
  const { told, code } = await doctor({
    ...{ NATS_URL: server.url, LEARNER_DATABASE_URL: database.url },
  });
  expect(told).toContainEqual(
    expect.stringMatching(
      /^failed NATS at \S+: nats-server 2\.9\.\d+ is too old: 2\.10\.4 or later/,
    ),
  );
  expect(code).toBe(1);
});

test("a missing stream, and a durable that goes with it", async () => {
  const { env, jsm } = await openServers();
  await jsm.streams.delete("EXPERIENCE");
  const { told, code } = await doctor(env);
  expect(told).toContainEqual(
    "failed streams and durables: stream EXPERIENCE is missing: experience-bus provision makes it",
  );
  expect(told).toContainEqual(expect.stringContaining("consumer EXPERIENCE/experience-learner-v1"));
  expect(code).toBe(1);
});

test("an evidence bucket with another time to live, with both values", async () => {
  const { env, jsm } = await openServers();
  await jsm.streams.update("KV_experience-learner-v1-evidence", { max_age: nanos(600_000) });
  const { told, code } = await doctor(env);
  expect(told).toEqual([
    'failed streams and durables: stream KV_experience-learner-v1-evidence: max_age is "600s", the settings want "3600s"; experience-bus provision changes it',
  ]);
  expect(code).toBe(1);
});

test.each([
  [["other.>"], "failed", 1],
  [["agent.experience.v1.one"], "warning", 0],
])("EXPERIENCE with subjects %j is %s", async (subjects, mark, ending) => {
  const { env, jsm } = await openServers();
  await jsm.streams.update("EXPERIENCE", { subjects });
  const { told, code } = await doctor(env);
  expect(told).toEqual([
    `${mark} streams and durables: stream EXPERIENCE: subjects is ${JSON.stringify(subjects)}, the settings want ["agent.experience.v1.>"]; experience-bus provision changes it`,
  ]);
  expect(code).toBe(ending);
});

test("a durable that refuses our requests, and a bucket that is sealed", async () => {
  const { env, jsm } = await openServers();
  await jsm.consumers.update("EXPERIENCE", "experience-learner-v1", { max_batch: 1 });
  const bucket = "KV_experience-learner-v1-attempts";
  const { config } = await jsm.streams.info(bucket);
  const sealed = { ...config, sealed: true };
  await jsm.streams.update(bucket, sealed);
  const { told, code } = await doctor(env);
  const place = "failed streams and durables: ";
  expect(told).toContain(
    `${place}consumer EXPERIENCE/experience-learner-v1: max_batch is 1, the settings want 256; experience-bus provision changes it`,
  );
  expect(told).toContainEqual(
    expect.stringContaining(
      `${place}stream ${bucket}: sealed is true, the settings want null; JetStream cannot`,
    ),
  );
  expect(code).toBe(1);
});

test("a clock is found in whatever streams a replica's concerns need", async () => {
  for (const EXPERIENCE_CONCERNS of ["features", "runs,deadletters"]) {
    const { env } = await openServers("", {}, { EXPERIENCE_CONCERNS });
    expect(await doctor(env)).toEqual({ told: [], code: 0 });
  }
});

test("replicas that one server cannot hold are named once, whether streams exist or not", async () => {
  const { env, jsm } = await openServers();
  const three = { ...env, JETSTREAM_REPLICAS: "3" };
  const cluster =
    "streams and durables: JETSTREAM_REPLICAS=3 needs a cluster of as many nats-servers, and this server is in none";
  expect(await doctor(three)).toEqual({ told: [`warning ${cluster}`], code: 0 });
  await jsm.streams.delete("LESSONS");
  expect(await doctor(three)).toEqual({
    told: [`failed ${cluster}`, "failed streams and durables: stream LESSONS is missing"],
    code: 1,
  });
});

test("drift that breaks nothing is a warning, and no failure", async () => {
  const { env, jsm } = await openServers();
  const ack_wait = nanos(60_000);
  await jsm.consumers.update("EXPERIENCE", "experience-learner-v1", { ack_wait });
  const { told, code } = await doctor(env);
  expect(told).toEqual([
    expect.stringMatching(/^warning .*ack_wait is "60s", the settings want "30s"/),
  ]);
  expect(code).toBe(0);
});

test("pending migrations, each by its name", async () => {
  const { env } = await openServers();
  const database = await emptyDatabase();
  onTestFinished(() => database.drop());
  const { told, code } = await doctor({ ...env, LEARNER_DATABASE_URL: database.url });
  expect(told[0]).toBe(
    "failed migrations: 0000_lessons is pending: experience-bus migrate applies it",
  );
  expect(code).toBe(1);
});

test("a database that is newer than this version is a warning", async () => {
  const { env, sql } = await openServers();
  await sql`INSERT INTO drizzle.experience_bus_migrations (hash, created_at) VALUES ('x', 9e15)`;
  expect(await doctor(env)).toEqual({
    told: [
      "warning migrations: the database has migrations that this version does not know: it is of a newer one",
    ],
    code: 0,
  });
});

test("a table that is gone although its migration was applied, by its name", async () => {
  const { env, sql } = await openServers();
  await sql`ALTER TABLE lesson_outbox RENAME TO elsewhere`;
  expect(await doctor(env)).toEqual({
    told: ["failed migrations: table public.lesson_outbox is missing, and no migration makes it"],
    code: 1,
  });
});

test("servers that cannot be reached, both at once, without their passwords", async () => {
  const { told, code } = await doctor({
    NATS_URL: "nats://user:s3cret@127.0.0.1:1",
    LEARNER_DATABASE_URL: "postgres://user:s3cret@127.0.0.1:2/bus",
  });
  expect(told).toEqual([
    "failed NATS at 127.0.0.1:1: connect ECONNREFUSED 127.0.0.1:1",
    "failed PostgreSQL: connect ECONNREFUSED 127.0.0.1:2",
  ]);
  expect(code).toBe(1);
});

test("ports that accept and hang up, as a load balancer without a backend does", async () => {
  const [nats, postgres] = [
    await startOther((socket) => socket.end()),
    await startOther((socket) => socket.end()),
  ];
  const { told, code } = await doctor({
    NATS_URL: `nats://${nats}`,
    LEARNER_DATABASE_URL: `postgres://u@${postgres}/bus`,
  });
  expect(told).toEqual([
    `failed NATS at ${nats}: the server hung up before it said anything: no nats-server, or one that wants TLS first (handshake_first: set NATS_TLS_FIRST=true)`,
    expect.stringMatching(/^failed PostgreSQL: /),
  ]);
  expect(code).toBe(1);
});

test("a NATS server that breaks off the TLS handshake", async () => {
  const nats = await startOther((socket) => {
    socket.write('INFO {"tls_required":true,"max_payload":1048576}\r\n');
    socket.on("data", () => socket.destroy());
  });
  const { told, code } = await doctor({
    NATS_URL: `nats://${nats}`,
    LEARNER_DATABASE_URL: "postgres://u@127.0.0.1:2/bus",
  });
  expect(told[0]).toContain("hung up in the middle of the TLS handshake: does it speak TLS?");
  expect(code).toBe(1);
});

test("PostgreSQL without TLS where sslmode wants it", async () => {
  const { env } = await openServers();
  const { told, code } = await doctor({
    ...env,
    LEARNER_DATABASE_URL: `${env.LEARNER_DATABASE_URL}?sslmode=require`,
  });
  expect(told).toEqual([
    expect.stringMatching(
      /^failed PostgreSQL: 127.0.0.1:\d+ has no TLS, and sslmode=require demands it/,
    ),
  ]);
  expect(code).toBe(1);
});

test("servers that are silent are waited for at the same time", async () => {
  const silent = await Promise.all(Array.from({ length: 5 }, () => startOther(() => undefined)));
  const startedAt = performance.now();
  const { told, code } = await doctor({
    NATS_URL: silent
      .slice(1)
      .map((place) => `nats://${place}`)
      .join(),
    LEARNER_DATABASE_URL: `postgres://u@${silent[0]}/bus`,
  });
  expect(told).toHaveLength(5);
  expect(code).toBe(1);
  // --timeout is 5 s; one after the other they would take 25.
  expect(performance.now() - startedAt).toBeLessThan(20_000);
});

test("a clock that is ten minutes ahead of the servers'", async () => {
  const { env } = await openServers();
  const ahead = "const now = Date.now; Date.now = () => now() + 600_000;";
  const option = `--import=data:text/javascript,${encodeURIComponent(ahead)}`;
  const { told, code } = await doctor({ ...env, NODE_OPTIONS: option });
  expect(told).toEqual([
    expect.stringMatching(/^failed clock of NATS: (599|600)\.\d s behind ours$/),
    expect.stringMatching(/^failed clock of PostgreSQL: (599|600)\.\d s behind ours$/),
  ]);
  expect(code).toBe(1);
});

async function makeCertificate(fromDays: number, untilDays: number) {
  const dayMs = 86_400_000;
  return await generate([{ name: "commonName", value: "localhost" }], {
    notBeforeDate: new Date(Date.now() + fromDays * dayMs),
    notAfterDate: new Date(Date.now() + untilDays * dayMs),
    extensions: [
      { name: "basicConstraints", cA: true },
      { name: "subjectAltName", altNames: [{ type: 7, ip: "127.0.0.1" }] },
    ],
  });
}

test("each certificate of a bundle is looked at; an old one beside a good one is a warning", async () => {
  const [good, expired] = [await makeCertificate(-30, 300), await makeCertificate(-30, -3)];
  const bundle = join(folder(), "ca.pem");
  const ofFile = async (content: string) => {
    writeFileSync(bundle, content);
    const { told } = await doctor({
      ...{ NATS_URL: "nats://127.0.0.1:1", LEARNER_DATABASE_URL: "postgres://u@127.0.0.1:2/bus" },
      NATS_CA: bundle,
    });
    return told.filter((one) => one.includes("certificate in NATS_CA"));
  };
  const isOver = (mark: string, number: number) =>
    expect.stringMatching(
      `^${mark} certificate in NATS_CA: number ${number} of 2: expired on \\d{4}-`,
    );
  expect(await ofFile(`# roots\n${good.cert}\n${expired.cert}`)).toEqual([isOver("warning", 2)]);
  expect(await ofFile(expired.cert + expired.cert)).toEqual([
    isOver("failed", 1),
    isOver("failed", 2),
  ]);
  expect(await ofFile("nothing")).toEqual([
    "failed certificate in NATS_CA: there is none in the file",
  ]);
  const bad = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
  const [told] = await ofFile(bad);
  expect(told).toMatch(/^failed certificate in NATS_CA: [a-z ]+$/);
});

for (const [what, fromDays, untilDays, finding] of [
  ["an expired certificate", -30, -3, /: expired on \d{4}-\d\d-\d\d$/],
  ["one that is about to expire", -30, 5, /: 4 days left, until/],
  ["one that is not valid yet", 2, 300, /: not valid before \d{4}-\d\d-\d\d$/],
] as const) {
  test(`${what} of the server`, async () => {
    const { cert, private: key } = await makeCertificate(fromDays, untilDays);
    const files = folder();
    writeFileSync(join(files, "cert.pem"), cert);
    writeFileSync(join(files, "key.pem"), key);
    const tls = `tls { cert_file: "${files}/cert.pem", key_file: "${files}/key.pem" }`;
    const [server, database] = await Promise.all([startServer(tls), freshDatabase()]);
    onTestFinished(() => database.drop());
    const { told, code } = await doctor({
      ...{ NATS_URL: server.url, NATS_CA: join(files, "cert.pem") },
      LEARNER_DATABASE_URL: database.url,
    });
    const ofCertificates = told.filter((one) => /^\w+ certificate /.test(one));
    expect(ofCertificates).toEqual([
      expect.stringMatching(/certificate in NATS_CA/),
      expect.stringMatching(/certificate of NATS at \S+/),
    ]);
    for (const one of ofCertificates) expect(one).toMatch(finding);
    expect(told.join()).not.toMatch(/error:|routines|\n/);
    expect(code).toBe(1);
  });
}

test("a max_payload that is too small for the largest event", async () => {
  const { env } = await openServers("max_payload: 65536");
  const { told, code } = await doctor(env);
  expect(told).toEqual([
    expect.stringMatching(/^failed NATS at \S+: max_payload of 65536 bytes is too small: .*270336/),
  ]);
  expect(code).toBe(1);
});
