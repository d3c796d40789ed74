import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { targetOf } from "../../../src/postgres/url.ts";
import { readDatabaseUrl, readSettings, settingsAdvice } from "../../../src/settings/index.ts";

const LEARNER_DATABASE_URL = "postgres://learner@h/bus";
const servers = { NATS_URL: "nats://h", LEARNER_DATABASE_URL };
const targetIn = (env: Record<string, string>) =>
  targetOf(readSettings({ ...servers, ...env }).databaseUrl);

function file(text: string): string {
  const folder = mkdtempSync(join(tmpdir(), "experience-bus-url-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, "file"), text);
  return join(folder, "file");
}

test("libpq's variables say what the URL does not", () => {
  const ca = file("");
  const target = targetIn({
    LEARNER_DATABASE_URL: "postgres:///",
    ...{ PGHOST: "h1,h2", PGPORT: "6432", PGUSER: "u", PGDATABASE: "d", PGPASSWORD: "p&w=?" },
    ...{ PGSSLMODE: "verify-ca", PGSSLROOTCERT: ca, PGTARGETSESSIONATTRS: "read-write" },
    ...{ PGAPPNAME: "bus", PGCONNECT_TIMEOUT: "3", PGOPTIONS: "-c a=b", PGSSLSNI: "0" },
  });
  expect(target).toMatchObject({
    hosts: [
      { host: "h1", port: 6432 },
      { host: "h2", port: 6432 },
    ],
    user: "u",
    database: "d",
    password: { kind: "text", text: "p&w=?" },
    tls: { mode: "verify-ca", rootCert: ca, sni: false },
    attributes: "read-write",
    applicationName: "bus",
    connectSeconds: 3,
    options: "-c a=b",
  });
});

test("the URL goes before libpq's variables", () => {
  const url = "postgres://u:p@h:1/d?sslmode=disable&application_name=a";
  const others = { PGHOST: "x", PGPORT: "2", PGUSER: "x", PGDATABASE: "x", PGPASSWORD: "x" };
  const more = { PGSSLMODE: "require", PGAPPNAME: "x", PGREQUIRESSL: "1", PGPASSFILE: "/x" };
  const target = targetIn({ LEARNER_DATABASE_URL: url, ...others, ...more });
  expect(target).toEqual(targetOf(url));
});

test("a password comes from a file, and that goes before PGPASSWORD", () => {
  const LEARNER_DATABASE_PASSWORD_FILE = file("secret\n");
  const target = targetIn({ LEARNER_DATABASE_PASSWORD_FILE, PGPASSWORD: "p", PGPASSFILE: "/x" });
  expect(target.password).toEqual({ kind: "file", file: LEARNER_DATABASE_PASSWORD_FILE });
});

test.each([
  [{ PGSSLMODE: "yes" }, "PGSSLMODE must be one of"],
  [{ PGSSLMODE: "verify-full", PGSSLROOTCERT: "/no/ca" }, "sslrootcert must name a file"],
  [{ PGSSLCRLDIR: "/d" }, "PGSSLCRLDIR: name one file"],
  [{ PGREQUIREAUTH: "md5" }, "PGREQUIREAUTH: which way"],
  [{ PGSERVICE: "x" }, "PGSERVICE: service files"],
  [{ PGGSSENCMODE: "require" }, "PGGSSENCMODE must be one of"],
  [{ PGSSLCERT: "/c" }, "PGSSLCERT and sslkey go together"],
  [{ LEARNER_DATABASE_PASSWORD_FILE: "hunter2" }, "must name a file that can be read (ENOENT)"],
  [
    {
      LEARNER_DATABASE_URL: "postgres://u:hunter2@h/d",
      LEARNER_DATABASE_PASSWORD_FILE: "/dev/null",
    },
    "LEARNER_DATABASE_PASSWORD_FILE and a password: choose one",
  ],
  [
    { LEARNER_DATABASE_URL: `${LEARNER_DATABASE_URL}?target_session_attrs=standby` },
    "target_session_attrs must allow writing",
  ],
])("%j is a problem, named as it was given, and shows no secret", (env, problem) => {
  expect(() => readSettings({ ...servers, ...env })).toThrow(problem);
  expect(() => readSettings({ ...servers, ...env })).not.toThrow(/hunter2/);
});

test("whoever only reads may read from a standby", () => {
  const url = `${LEARNER_DATABASE_URL}?target_session_attrs=prefer-standby`;
  expect(readDatabaseUrl({ LEARNER_DATABASE_URL: url })).toBe(url);
});

test("what is ignored is said by its name", () => {
  const url = `${LEARNER_DATABASE_URL}?pool_timeout=0`;
  const settings = readSettings({ ...servers, LEARNER_DATABASE_URL: url });
  expect(settingsAdvice(settings)).toContainEqual(
    expect.stringMatching(/^LEARNER_DATABASE_URL: pool_timeout is ignored/),
  );
});
