import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { runCommand } from "../../src/embedded/command.ts";
import { version } from "../../src/version.ts";
import { eventually } from "../rig/eventually.ts";
import { natsCommand } from "../rig/outside.ts";
import { openStack, type Stack } from "../rig/service.ts";
import { failures, publish } from "../rig/traffic.ts";

vi.setConfig({ testTimeout: 60_000 });

const nats = await natsCommand();

/** The command in a home folder of its own, so that no context of the machine's reaches it. */
function commandOn({ broker }: Stack) {
  const home = mkdtempSync(join(tmpdir(), "experience-bus-home-"));
  onTestFinished(() => rmSync(home, { recursive: true, force: true }));
  const env = { PATH: process.env["PATH"] ?? "", HOME: home, NATS_URL: broker.url };
  return (...args: string[]) => runCommand(nats ?? "", args, { env, timeoutMs: 20_000 });
}

describe.skipIf(nats === null)("the nats command", () => {
  test("lists, describes, counts and pings every replica", async () => {
    const stack = await openStack();
    const services = [await stack.start(), await stack.start()];
    const command = commandOn(stack);
    const listed = await command("micro", "ls", "--json");
    const ids = JSON.parse(listed).map(({ id }: { id: string }) => id);
    expect(ids.sort()).toEqual(services.map(({ instance }) => instance).sort());

    const instance = services[0]?.instance ?? "";
    const { info } = JSON.parse(
      await command("micro", "info", "experience-bus", instance, "--json"),
    );
    expect(info).toMatchObject({ name: "experience-bus", version });
    const names = info.endpoints.map(({ name }: { name: string }) => name);
    expect(names).toEqual(expect.arrayContaining(["extractor", "health", "stats", "lessons-recall"])); // biome-ignore format: one line
    // Times that are no whole numbers are more than the command can read.
    expect(await command("micro", "stats", "experience-bus")).toContain("extractor");
    expect(await command("micro", "ping", "experience-bus")).toContain(instance);
  });

  test("asks for health, stores events, and finds the learner's durable well", async () => {
    const stack = await openStack();
    const service = await stack.start();
    await eventually(async () => (await service.health()).status === "ok");
    const command = commandOn(stack);
    const health = await command("request", "experience.health", "", "--raw");
    expect(JSON.parse(health)).toMatchObject({ status: "ok", version });
    const own = await command("request", `experience.health.${service.instance}`, "", "--raw");
    expect(JSON.parse(own).instance).toBe(service.instance);

    await publish(stack.broker, ...failures());
    const event = JSON.stringify(failures(1)[0]);
    const stored = await command("micro", "request", "experience-bus", "extractor", event);
    expect(stored).toContain('"stored":1');
    const lessons = () => stack.database.sql`SELECT FROM agent_lessons`;
    await eventually(async () => (await lessons()).length === 1);

    const durable = ["--stream", "EXPERIENCE", "--consumer", "experience-learner-v1"];
    expect(await command("server", "check", "consumer", ...durable)).toMatch(/^OK/);
    expect(await command("server", "check", "connection")).toMatch(/^OK/);
    const refused = command("request", "experience.extractor", "no JSON", "--raw");
    expect(JSON.parse(await refused).code).toBe("bad_request");
  });
});
