import { once } from "node:events";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import postgres from "postgres";
import { generate } from "selfsigned";
import { afterAll, beforeAll, expect, inject, onTestFinished, test } from "vitest";
import { type PostgresServer, startPostgres } from "../../src/embedded/postgres.ts";
import { openDatabase, silentLog } from "../../src/postgres/client.ts";
import { pendingMigrations } from "../../src/postgres/migrate.ts";
import { run } from "../cli/command.ts";

let folder: string;
let server: PostgresServer;

/** Writes `<name>.pem` and `<name>.key`; each is its own authority. */
async function makeCertificate(name: string, commonName: string, host: string): Promise<void> {
  const { cert, private: key } = await generate([{ name: "commonName", value: commonName }], {
    extensions: [
      { name: "basicConstraints", cA: true },
      { name: "subjectAltName", altNames: [{ type: 2, value: host }] },
    ],
  });
  writeFileSync(join(folder, `${name}.pem`), cert);
  writeFileSync(join(folder, `${name}.key`), key, { mode: 0o600 });
}

const file = (name: string) => join(folder, name);

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "experience-bus-tls-"));
  chmodSync(folder, 0o711);
  await makeCertificate("server", "localhost", "localhost");
  await makeCertificate("another", "another", "another");
  await makeCertificate("client", "postgres", "client");
  writeFileSync(
    file("hba.conf"),
    [
      "hostssl guarded all all scram-sha-256 clientcert=verify-full",
      "host all all all scram-sha-256",
      "",
    ].join("\n"),
  );
  server = await startPostgres({
    dataDir: file("data"),
    settings: {
      ...{ fsync: "off", ssl: "on", hba_file: file("hba.conf") },
      ...{ ssl_cert_file: file("server.pem"), ssl_key_file: file("server.key") },
      ssl_ca_file: file("client.pem"),
    },
  });
  const admin = postgres(server.url, { max: 1 });
  await admin`CREATE DATABASE guarded`;
  await admin.end();
}, 60_000);

afterAll(async () => {
  await server?.stop("immediate");
  rmSync(folder, { recursive: true, force: true });
});

const urlOf = (query: string, host = "localhost") =>
  `${server.url.replace("127.0.0.1", host)}?${query.replace("CA", file("server.pem"))}`;

/** Whether its connection is encrypted. */
async function isEncrypted(url: string): Promise<boolean | undefined> {
  const database = openDatabase({ url, poolSize: 1, log: silentLog });
  onTestFinished(() => database.close());
  const [row] = await database.run(
    async ({ sql }) =>
      await sql<{ ssl: boolean }>`SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()`,
  );
  return row?.ssl;
}

test.each([
  ["", false],
  ["sslmode=disable", false],
  ["sslmode=allow", true],
  ["sslmode=prefer", true],
  ["sslmode=require", true],
  ["sslmode=verify-ca&sslrootcert=CA", true],
  ["sslmode=verify-full&sslrootcert=CA", true],
  ["sslmode=require&sslnegotiation=direct", true],
  ["sslmode=require&ssl_min_protocol_version=TLSv1.3", true],
])("%s: encrypted is %s", async (query, encrypted) => {
  expect(await isEncrypted(urlOf(query))).toBe(encrypted);
});

test("verify-ca takes a certificate for another host, as the address is here", async () => {
  expect(await isEncrypted(urlOf("sslmode=verify-ca&sslrootcert=CA", "127.0.0.1"))).toBe(true);
  expect(await isEncrypted(urlOf("sslmode=require", "127.0.0.1"))).toBe(true);
});

test.each([
  ["sslmode=verify-full&sslrootcert=CA", "127.0.0.1", "its certificate is for another host"],
  [
    "sslmode=verify-full",
    "localhost",
    "signed by no authority that Node.js knows; sslrootcert names",
  ],
  ["sslrootcert=system", "localhost", "signed by no authority that Node.js knows"],
  ["sslmode=verify-ca", "localhost", "signed by no authority that Node.js knows"],
  ["ssl=true", "localhost", "signed by no authority that Node.js knows"],
])("%s at %s is refused: %s", async (query, host, sentence) => {
  await expect(isEncrypted(urlOf(query, host))).rejects.toMatchObject({
    code: "unavailable",
    message: expect.stringContaining(sentence),
  });
});

test("an authority that has signed something else is refused, with require as well", async () => {
  for (const mode of ["require", "verify-ca", "verify-full"]) {
    const url = urlOf(`sslmode=${mode}&sslrootcert=${file("another.pem")}`);
    await expect(isEncrypted(url)).rejects.toThrow("none of the authorities in sslrootcert");
  }
});

test("a database that wants a certificate of ours gets it, and says so where there is none", async () => {
  const url = urlOf("sslmode=require").replace(/\/experience_bus\?/, "/guarded?");
  await expect(isEncrypted(url)).rejects.toThrow("client certificate");
  const ours = `&sslcert=${file("client.pem")}&sslkey=${file("client.key")}`;
  expect(await isEncrypted(url + ours)).toBe(true);
});

test("libpq's variables are obeyed by the command", async () => {
  const env = { LEARNER_DATABASE_URL: urlOf("") };
  const verified = { PGSSLMODE: "verify-full", PGSSLROOTCERT: file("server.pem") };
  const done = await run("migrate --dry-run", { ...env, ...verified });
  expect([done.code, done.complaints]).toEqual([0, ""]);
  const refused = await run("migrate --dry-run", { ...env, PGSSLMODE: "verify-full" });
  expect(refused.complaints).toContain("signed by no authority that Node.js knows");
  expect(refused.code).toBe(1);
});

test("doctor says how far the server is trusted", async () => {
  const of = async (query: string) => {
    const env = { NATS_URL: "nats://127.0.0.1:1", LEARNER_DATABASE_URL: urlOf(query) };
    return (await run("doctor --timeout 5s", env)).out;
  };
  expect(await of("sslmode=verify-full&sslrootcert=CA")).toContain(
    "encrypted, and the server is verified",
  );
  expect(await of("sslmode=require")).toContain("to any server: sslmode=verify-full");
  expect(await of("")).toContain("not encrypted");
});

test.each(["require", "verify-ca", "verify-full"])(
  "a server without TLS says so where sslmode=%s demands it",
  async (mode) => {
    const url = `${inject("postgresUrl")}?sslmode=${mode}`;
    const sentence = `has no TLS, and sslmode=${mode} demands it`;
    await expect(isEncrypted(url)).rejects.toThrow(sentence);
    await expect(pendingMigrations(url)).rejects.toThrow(sentence);
  },
);

test("a server without TLS is used as it is where sslmode only prefers it", async () => {
  expect(await isEncrypted(`${inject("postgresUrl")}?sslmode=prefer`)).toBe(false);
});

test.each([
  [
    "hangs up",
    (socket: Socket) => void socket.on("data", () => socket.destroy()),
    "hung up when asked for TLS",
  ],
  [
    "is a web server",
    (socket: Socket) => void socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"),
    "is it a PostgreSQL?",
  ],
  [
    "sends something after its answer",
    (socket: Socket) => void socket.write("Sx"),
    "is it a PostgreSQL?",
  ],
])("what %s is no PostgreSQL, and that is what is said", async (_, treat, sentence) => {
  const other = createServer((socket) => treat(socket.on("error", () => undefined)));
  other.listen(0, "127.0.0.1");
  await once(other, "listening");
  onTestFinished(() => void other.close());
  const { port } = other.address() as AddressInfo;
  await expect(isEncrypted(`postgres://u@127.0.0.1:${port}/d?sslmode=require`)).rejects.toThrow(
    sentence,
  );
});

test("a password that is rotated in its file is found, without a restart", async () => {
  const admin = postgres(server.url, { max: 1 });
  onTestFinished(() => admin.end());
  await admin`CREATE ROLE rotating LOGIN PASSWORD 'first'`;
  const secret = file("password");
  writeFileSync(secret, "first\n");
  const { port } = new URL(server.url);
  const url = `postgres://rotating@127.0.0.1:${port}/experience_bus?password_file=${secret}`;
  const database = openDatabase({ url, log: silentLog });
  onTestFinished(() => database.close());
  await database.ping();
  await admin`ALTER ROLE rotating PASSWORD 'second'`;
  await admin`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'rotating'`;
  await expect(database.ping()).rejects.toMatchObject({ code: "unavailable" });
  await expect(database.ping()).rejects.toThrow("28P01");
  writeFileSync(secret, "second\n");
  await database.ping();
});

test("a password comes from a passfile, and from PGPASSFILE", async () => {
  const { port, password } = new URL(server.url);
  writeFileSync(file("pgpass"), `*:1:*:*:no\nlocalhost:${port}:*:postgres:${password}\n`);
  const url = `postgres://postgres@localhost:${port}/experience_bus`;
  expect(await isEncrypted(`${url}?passfile=${file("pgpass")}`)).toBe(false);
  const env = { LEARNER_DATABASE_URL: url, PGPASSFILE: file("pgpass") };
  expect((await run("migrate --dry-run", env)).code).toBe(0);
  expect(readFileSync(file("pgpass"), "utf8")).toContain(password);
});
