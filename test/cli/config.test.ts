import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { surveySettings } from "../../src/settings/index.ts";
import { run } from "./command.ts";

const servers = {
  NATS_URL: "nats://127.0.0.1:4222",
  LEARNER_DATABASE_URL: "postgres://learner@127.0.0.1:5432/bus",
};

async function settingsIn(env: Record<string, string>) {
  const { out, code, complaints } = await run("config print --json", env);
  const { settings, problems } = JSON.parse(out);
  const of = (name: string) => settings.find((one: { name: string }) => one.name === name);
  return { settings, problems, of, code, complaints };
}

test("each setting is printed once, with its value and where that comes from", async () => {
  const env = {
    ...{ ...servers, HTTP_PORT: "8080", LOG_LEVEL: "Debug" },
    ...{ NODE_ENV: "production", LESSON_COIN_KEY: "a key of tests" },
  };
  const { settings, of, code } = await settingsIn(env);
  const names = settings.map(({ name }: { name: string }) => name);
  expect(new Set(names).size).toBe(names.length);
  expect(of("HTTP_PORT")).toMatchObject({ value: "8080", source: "environment", default: "9109" });
  expect(of("LOG_LEVEL")).toMatchObject({ value: "debug", source: "environment" });
  expect(of("EXPERIENCE_PROVISION")).toMatchObject({ value: "verify", source: "default" });
  expect(of("EXPERIENCE_HTTP_TOKEN")).toMatchObject({ value: null, source: "not set" });
  expect(of("NATS_INBOX_PREFIX")).toMatchObject({ value: "_INBOX", source: "default" });
  expect(code).toBe(0);
});

test("as a table it names them all", async () => {
  const { out, code } = await run("config print", servers);
  expect(out).toMatch(/^NAME +VALUE +FROM\n/);
  expect(out).toMatch(/^JETSTREAM_REPLICAS +1 +default$/m);
  for (const { name } of surveySettings(servers).readings) expect(out).toContain(`\n${name} `);
  expect(code).toBe(0);
});

test("where serve would start servers of its own, it says so", async () => {
  const { of, code } = await settingsIn({});
  expect(of("NATS_URL")).toMatchObject({ value: null, source: "embedded servers" });
  expect(code).toBe(0);
  const named = await run("config print --json --server nats://h:1", servers);
  expect(named.out).toContain('"nats://h:1"');
  expect(named.out).toContain('"source": "option"');
});

test("problems are those that serve reports, with the exit code that it has", async () => {
  const env = { NODE_ENV: "production", NATS_URL: "http://x", HTTP_PORT: "no" };
  const printed = await settingsIn(env);
  const served = await run("serve", env);
  expect(printed.problems).toHaveLength(3);
  for (const problem of printed.problems) expect(served.complaints).toContain(problem);
  expect(printed.complaints).toContain("3 problems in the settings:");
  expect([printed.code, served.code]).toEqual([2, 2]);
});

test("what tracing would be told is printed while tracing is off", async () => {
  const { of, code } = await settingsIn({
    ...servers,
    ...{ OTEL_SDK_DISABLED: "true", OTEL_TRACES_EXPORTER: "otlp", OTEL_SERVICE_NAME: "bus" },
  });
  expect(of("OTEL_TRACES_EXPORTER")).toMatchObject({ value: "otlp", source: "environment" });
  expect(of("OTEL_SERVICE_NAME")).toMatchObject({ value: "bus", source: "environment" });
  expect(of("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL")).toMatchObject({ value: "http/protobuf" });
  expect(code).toBe(0);
});

test("in JSON a terminal finds nothing to obey, and a program the same text", async () => {
  const name = "a\u009b31m\u202eb\u{e0001}c";
  const { out, code } = await run("config print --json", { ...servers, OTEL_SERVICE_NAME: name });
  expect(out).toContain("a\\u009b31m\\u202eb\\udb40\\udc01c");
  expect(out.replaceAll("\n", "")).not.toMatch(/[\p{Cc}\p{Cf}]/u);
  expect(JSON.parse(out).settings).toContainEqual(expect.objectContaining({ value: name }));
  expect(code).toBe(0);
});

test("of a problem in the settings the lines are kept, and nothing that a terminal obeys", async () => {
  const { complaints, code } = await run("provision", { ...servers, HTTP_PORT: "\u001b[31m1" });
  expect(complaints).toContain("settings:\n  HTTP_PORT= [31m1 must be");
  expect(code).toBe(2);
});

const secret = "s3cr3t-s3cr3t";
const pair = "s3cr3t";

test.each<Record<string, string>>([
  { NATS_USER: "u", NATS_PASSWORD: secret },
  { NATS_TOKEN: secret },
  { EXPERIENCE_HTTP_TOKEN: secret },
  { NATS_CREDS: secret },
  { NATS_NKEY: secret },
  { NATS_CA: secret, NATS_CERT: secret, NATS_KEY: secret },
  { NATS_URL: `nats://u:${secret}@h:1,nats://${secret}@h:2` },
  { NATS_URL: `${secret}@h:1` },
  { NATS_URL: `nats://u:${secret}%zz@h:1` },
  { NATS_URL: `nats://u:x/${secret}@h:1` },
  { NATS_URL: `nats://h:1?token=${secret}` },
  { LEARNER_DATABASE_URL: `postgres://u:${secret}@h/db?sslmode=require` },
  { LEARNER_DATABASE_URL: `postgres://u@h/db?password=${secret}` },
  { LEARNER_DATABASE_PASSWORD_FILE: secret },
  { PGPASSWORD: secret, PGPASSFILE: secret, PGSSLROOTCERT: secret },
  { LEARNER_DATABASE_URL: `postgres://u:12/${secret}@h/db` },
  { LEARNER_DATABASE_URL: `postgres://u:${secret}#%@h:x/db` },
  { LEARNER_DATABASE_URL: `mysql://u:${secret}@h/db` },
  { OTEL_EXPORTER_OTLP_ENDPOINT: `http://u:${secret}@collector:4318` },
  { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `http://collector:4318/${secret}/v1/traces` },
  { LEARNER_DATABASE_URL: `u:${secret}@h/db` },
  { LEARNER_DATABASE_URL: `host=h password=${secret}` },
  { LEARNER_DATABASE_URL: `postgres://host=h password=${secret}` },
  { NATS_URL: `server=h token=${secret}` },
  { NATS_URL: `nats://u:${secret},x@h:1` },
])("%j shows no secret", async (env) => {
  for (const how of ["", " --json"]) {
    const { out, complaints } = await run(`config print${how}`, { ...servers, ...env });
    expect(out).toContain("NATS_URL");
    expect(out + complaints).not.toContain(pair);
  }
});

test("of a file of credentials the path is shown, of a database all but the password", async () => {
  const folder = mkdtempSync(join(tmpdir(), "experience-bus-config-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const path = join(folder, "agent.creds");
  writeFileSync(path, secret);
  const url = `postgres://learner:${secret}@h1,h2:5433/bus?sslmode=require`;
  const { of } = await settingsIn({ ...servers, NATS_CREDS: path, LEARNER_DATABASE_URL: url });
  expect(of("NATS_CREDS").value).toBe(path);
  const shown = "postgres://learner:***@h1,h2:5433/bus?sslmode=require";
  expect(of("LEARNER_DATABASE_URL").value).toBe(shown);
});
