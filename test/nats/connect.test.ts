import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, inject, onTestFinished, test } from "vitest";
import { prepareLaunch } from "../../src/embedded/launch.ts";
import { startServerProcess } from "../../src/embedded/server-process.ts";
import { connectNats } from "../../src/nats/connect.ts";
import { freePort } from "../rig/ports.ts";
import { recordingLog } from "../rig/service.ts";

/** To a server without JetStream, so that nobody but the test answers what is asked of JetStream. */
async function openConnection() {
  const cwd = mkdtempSync(join(tmpdir(), "experience-bus-nats-"));
  const port = await freePort();
  const server = await startServerProcess({
    ...{ name: "nats-server", file: inject("natsBinary"), cwd },
    args: ["--addr", "127.0.0.1", "--port", String(port)],
    launch: await prepareLaunch("TERM"),
  });
  const settings = { url: `nats://127.0.0.1:${port}`, inboxPrefix: "_INBOX" };
  const attempt = () => connectNats(settings, recordingLog().log).catch(() => undefined);
  const nc = await server.untilReady(attempt, 10_000);
  onTestFinished(async () => {
    await nc.close();
    await server.stop("SIGTERM", 5_000);
    rmSync(cwd, { recursive: true, force: true });
  });
  return nc;
}

test.for([
  "$JS.API.STREAM.INFO.EXPERIENCE",
  "$JS.API.CONSUMER.INFO.EXPERIENCE.durable",
  "$JS.API.STREAM.MSG.GET.KV_evidence",
])(
  "a request to %s that got lost in an election is answered by the new leader",
  async (subject) => {
    const nc = await openConnection();
    let seen = 0;
    nc.subscribe(subject, {
      callback: (_, message) => {
        seen += 1;
        if (seen === 2) message.respond("led");
      },
    });
    const answer = await nc.request(subject, "", { timeout: 10_000 });
    expect(answer.string()).toBe("led");
  },
);

test("a request that changes something is sent once only", async () => {
  const nc = await openConnection();
  let seen = 0;
  nc.subscribe("$JS.API.>", {
    callback: () => {
      seen += 1;
    },
  });
  const asked = nc.request("$JS.API.CONSUMER.DELETE.EXPERIENCE.durable", "", { timeout: 2_500 });
  await expect(asked.then(() => "answered")).rejects.toThrow("timeout");
  expect(seen).toBe(1);
});
