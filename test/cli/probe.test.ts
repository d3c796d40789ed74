import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { headers } from "@nats-io/transport-node";
import { expect, onTestFinished, test } from "vitest";
import { eventually } from "../rig/eventually.ts";
import { startReplica } from "../rig/replica.ts";
import { openStack, type Stack } from "../rig/service.ts";
import { run, startCommand } from "./command.ts";

const probe = ({ broker }: Stack, args = "") => run(`probe ${args}`, { NATS_URL: broker.url });

test("a healthy replica is one line and 0, whichever way it is found", async () => {
  const stack = await openStack();
  const { instance } = await stack.start();
  for (const way of ["", `--instance ${instance}`, `--host ${hostname()}`, "--timeout 2s"]) {
    const { out, code } = await probe(stack, way);
    expect(out).toMatch(new RegExp(`^ok: ${instance} \\S+, up \\d+ s\n$`));
    expect(code).toBe(0);
  }
});

test("--json prints the health reply, of the replica that was named", async () => {
  const stack = await openStack();
  const [first, second] = [await stack.start(), await stack.start()];
  for (const { instance } of [first, second]) {
    const { out } = await probe(stack, `--json --instance ${instance}`);
    expect(JSON.parse(out)).toMatchObject({ status: "ok", instance, checks: { nats: "ok" } });
  }
});

test("a degraded replica is 0, and the line says why", async () => {
  const stack = await openStack();
  await stack.start();
  await stack.broker.js.publish("signals.x", "no JSON");
  await eventually(async () => (await probe(stack)).out.startsWith("degraded: "), 20_000);
  const { out, code } = await probe(stack);
  expect(out).toContain("; dead letters: 1 not replayed");
  expect(out.trim()).not.toContain("\n");
  expect(code).toBe(0);
}, 60_000);

test("a replica that is down is 1", async () => {
  const stack = await openStack();
  await stack.start();
  await stack.database.drop();
  const { out, code } = await probe(stack);
  expect(out).toMatch(/^down: .*postgres/);
  expect(code).toBe(1);
});

test("nobody there is 3, whether no service runs at all or none of that name", async () => {
  const stack = await openStack();
  const alone = await probe(stack);
  expect(alone.complaints).toContain("no responders on experience.health");
  expect(alone.code).toBe(3);
  expect(await probe(stack, "--host nowhere")).toMatchObject({ code: 3 });
  await stack.start();
  expect(await probe(stack, "--instance NOBODY")).toMatchObject({ code: 3, out: "" });
  const elsewhere = await probe(stack, "--host nowhere --timeout 2s");
  expect(elsewhere.complaints).toContain("no replica on host nowhere answers");
  expect(elsewhere.code).toBe(3);
});

test("--host waits for an answer that is slow as long as --timeout says", async () => {
  const { broker } = await openStack();
  const slowly = (subject: string, reply: object, ms: number) =>
    broker.nc.subscribe(subject, {
      callback: (_, message) =>
        void setTimeout(() => message.respond(JSON.stringify(reply)), ms).unref(),
    });
  // Another replica answers at once; ours is busy.
  slowly("$SRV.PING.experience-bus", { id: "OTHER", metadata: { host: "elsewhere" } }, 0);
  slowly("$SRV.PING.experience-bus", { id: "OURS", metadata: { host: "here" } }, 800);
  const health = { status: "ok", instance: "OURS", version: "1", uptime_seconds: 1, problems: [] };
  slowly("experience.health.OURS", health, 0);
  await broker.nc.flush();
  const env = { NATS_URL: broker.url };
  const { out, code } = await run("probe --host here --timeout 5s", env);
  expect(out).toBe("ok: OURS 1, up 1 s\n");
  expect(code).toBe(0);
  const nowhere = await run("probe --host nowhere --timeout 2s", env);
  expect(nowhere.complaints).toContain("no replica on host nowhere answers");
  expect(nowhere.code).toBe(3);
});

test("NATS away is 1, and so is a server or a replica that does not answer in time", async () => {
  const away = await run("probe --server nats://127.0.0.1:1");
  expect(away.complaints).toContain("cannot connect to NATS at nats://127.0.0.1:1");
  expect(away.code).toBe(1);
  const stack = await openStack();
  stack.broker.nc.subscribe("experience.health");
  const silent = await probe(stack, "--timeout 300ms");
  expect(silent.complaints).toMatch(/no answer (within 0.3 s|on \S+ in time)/);
  expect(silent.code).toBe(1);
  stack.broker.freeze();
  const frozen = await probe(stack, "--timeout 0.3");
  stack.broker.thaw();
  expect(frozen.code).toBe(1);
});

test("an error that a responder words for the terminal is printed, not obeyed", async () => {
  const { broker } = await openStack();
  broker.nc.subscribe("experience.health", {
    callback(_, message) {
      const evil = headers();
      evil.set("Nats-Service-Error-Code", "500");
      evil.set("Nats-Service-Error", "\u001b[2J\u009bgone");
      message.respond("", { headers: evil });
    },
  });
  await broker.nc.flush();
  const { complaints, code } = await run("probe", { NATS_URL: broker.url });
  expect(complaints).toBe("experience-bus:  [2J gone\n");
  expect(code).toBe(1);
});

test("an instance that names itself for the terminal is printed, not obeyed", async () => {
  const { broker } = await openStack();
  const identity = { id: "\u001b]0;evil\u0007", metadata: { host: "h" } };
  broker.nc.subscribe("$SRV.PING.experience-bus", {
    callback: (_, message) => void message.respond(JSON.stringify(identity)),
  });
  await broker.nc.flush();
  const { complaints } = await run("probe --host h", { NATS_URL: broker.url });
  expect(complaints).toContain("experience-bus: ");
  expect(complaints.trim()).not.toMatch(/\p{Cc}/u);
});

test("what NATS does not permit is named, and 1", async () => {
  const folder = mkdtempSync(join(tmpdir(), "experience-bus-probe-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const config = join(folder, "nats.conf");
  writeFileSync(
    config,
    `authorization: { users: [
      { user: all, password: all }
      { user: few, password: few, permissions: { publish: "nothing", subscribe: "_INBOX.>" } }
    ] }
    no_auth_user: all`,
  );
  const stack = await openStack(["--config", config]);
  await stack.start();
  const env = { NATS_URL: stack.broker.url, NATS_USER: "few", NATS_PASSWORD: "few" };
  for (const [how, subject] of [
    ["", "experience.health"],
    ["--host x", "$SRV.PING.experience-bus"],
  ]) {
    const { complaints, code } = await run(`probe ${how}`, env);
    expect(complaints).toMatch(/permissions violation for publish/i);
    expect(complaints).toContain(subject);
    expect(code).toBe(1);
  }
});

test.each(["--instance a.b", "--instance >", "--timeout soon", "--instance a --host b", "extra"])(
  "probe %s is bad usage",
  async (args) => expect(await run(`probe ${args}`)).toMatchObject({ code: 2, out: "" }),
);

test("--host with nothing in it, as from a variable that is not set, is bad usage", async () => {
  expect((await startCommand(["probe", "--host", ""]).ended).code).toBe(2);
});

test("serve is the service: it is probed, and ends with 0 after SIGTERM", async () => {
  const stack = await openStack();
  const env = stack.env({
    ...{ EXPERIENCE_PROVISION: "apply", NODE_ENV: "production" },
    LESSON_COIN_KEY: "a key of tests",
  });
  const { child, ended } = startCommand(["serve"], env);
  onTestFinished(() => {
    child.kill("SIGKILL");
  });
  await eventually(async () => (await probe(stack)).code === 0, 20_000);
  child.kill("SIGTERM");
  const { code, out } = await ended;
  expect(out).toContain('"stopped"');
  expect(code).toBe(0);
});

test("serve and main.js complain alike about bad settings", async () => {
  const env = { NODE_ENV: "production", HTTP_PORT: "no" };
  const served = await run("serve", env);
  const replica = startReplica(env);
  expect((await replica.exited).code).toBe(served.code);
  expect(replica.complaints.join("\n")).toBe(served.complaints.trim());
});
