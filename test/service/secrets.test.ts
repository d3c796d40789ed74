import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { eventually } from "../rig/eventually.ts";
import { type Replica, startReplica } from "../rig/replica.ts";
import { openStack, type Stack } from "../rig/service.ts";
import { failures, publish } from "../rig/traffic.ts";

/** As it would look in a log, as it is and as in a URL. */
const secret = "s3cret-77/x";
const inUrl = encodeURIComponent(secret);

function start(env: Record<string, string>): Replica {
  const replica = startReplica({ LOG_LEVEL: "trace", ...env });
  onTestFinished(async () => {
    replica.kill("SIGKILL");
    await replica.exited;
  });
  return replica;
}

async function openGuardedStack(authorization: string): Promise<Stack> {
  const folder = mkdtempSync(join(tmpdir(), "experience-bus-conf-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "nats.conf");
  writeFileSync(file, authorization);
  return await openStack(["-c", file]);
}

/** Without credentials one is the test, which may not pull: whoever learns anything is `bus`. */
const users = `
  authorization {
    users: [
      { user: bus, password: "${secret}" }
      { user: test, password: test, permissions: { publish: { deny: "$JS.API.CONSUMER.MSG.NEXT.>" } } }
    ]
  }
  no_auth_user: test`;

function expectNoSecret({ log, complaints }: Replica): void {
  const said = [...log.map((line) => JSON.stringify(line)), ...complaints].join("\n");
  expect(said).not.toContain(secret);
  expect(said).not.toContain(inUrl);
  expect(said.length).toBeGreaterThan(0);
}

const withPassword = ({ database }: Stack, password: string) => {
  const url = new URL(database.url);
  url.password = password;
  return url.href;
};

for (const [what, env] of [
  ["settings of their own", { NATS_USER: "bus", NATS_PASSWORD: secret }],
  ["the URL", {}],
] as const) {
  test(`credentials in ${what} open the broker and appear in no line`, async () => {
    const stack = await openGuardedStack(users);
    const { host } = new URL(stack.broker.url);
    const url = what === "the URL" ? `nats://bus:${inUrl}@${host}` : stack.broker.url;
    const replica = start(stack.env({ NATS_URL: url, ...env }));
    await replica.ready();
    await publish(stack.broker, ...failures(3));
    const { sql } = stack.database;
    await eventually(async () => (await sql`SELECT 1 FROM agent_lessons`).length === 1);
    expect(await replica.stop()).toBe(0);
    expectNoSecret(replica);
  });
}

test("a wrong password for NATS is waited out, and appears in no line", async () => {
  const stack = await openGuardedStack(users.replace(secret, "another"));
  const replica = start(stack.env({ NATS_USER: "bus", NATS_PASSWORD: secret }));
  await eventually(() => replica.hasLogged(/^waiting for NATS at .*authorization/i), 10_000);
  expect(await replica.stop()).toBe(0);
  expectNoSecret(replica);
});

test("a wrong token for NATS is waited out, and appears in no line", async () => {
  const stack = await openGuardedStack(users);
  const { host } = new URL(stack.broker.url);
  const replica = start(stack.env({ NATS_URL: `nats://${inUrl}@${host}` }));
  await eventually(() => replica.hasLogged(/^waiting for NATS at .*authorization/i), 10_000);
  expect(await replica.stop()).toBe(0);
  expectNoSecret(replica);
});

test("a wrong password for PostgreSQL is waited out, and appears in no line", async () => {
  const stack = await openStack();
  const replica = start(stack.env({ LEARNER_DATABASE_URL: withPassword(stack, secret) }));
  await eventually(() => replica.hasLogged(/^waiting for PostgreSQL at .*28P01/), 10_000);
  expect(await replica.stop()).toBe(0);
  expectNoSecret(replica);
});

test("losing NATS and PostgreSQL in mid-work puts no credentials into the log", async () => {
  const stack = await openGuardedStack(users);
  const { sql } = stack.database;
  await sql.unsafe(`CREATE ROLE guarded SUPERUSER LOGIN PASSWORD '${secret}'`);
  const url = new URL(withPassword(stack, secret));
  url.username = "guarded";
  const nats = { NATS_USER: "bus", NATS_PASSWORD: secret };
  const replica = start(stack.env({ ...nats, LEARNER_DATABASE_URL: url.href }));
  onTestFinished(() => sql.unsafe("DROP ROLE guarded").then(() => undefined));
  await replica.ready();
  await sql`ALTER ROLE guarded NOLOGIN`;
  await sql`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'guarded'`;
  await publish(stack.broker, ...failures(3));
  await eventually(() => replica.hasLogged("pausing until it is over"), 10_000);
  await stack.broker.kill();
  await eventually(() => replica.hasLogged("NATS connection lost"), 10_000);
  replica.kill("SIGKILL");
  await replica.exited;
  await stack.broker.restart();
  expectNoSecret(replica);
});
