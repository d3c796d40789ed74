import { expect } from "vitest";
import { startNatsServer } from "../../src/embedded/nats-server.ts";
import { isRunning, natsBinary, publishMessage, storedMessage, test } from "./fixture.ts";

test("it has JetStream on, and listens on the loopback interface only", async ({
  folder,
  cleanup,
}) => {
  const server = await startNatsServer({ binary: await natsBinary(), dataDir: folder });
  cleanup(server.stop);
  const state = await (await fetch(`${server.monitorUrl}/varz`)).json();
  expect(state).toMatchObject({
    host: "127.0.0.1",
    http_host: "127.0.0.1",
    port: server.port,
    jetstream: { config: { store_dir: expect.stringContaining(folder) } },
  });
});

test("a stored message survives SIGKILL and a restart on the same data and port", async ({
  folder,
  cleanup,
}) => {
  const binary = await natsBinary();
  const killed = await startNatsServer({ binary, dataDir: folder });
  cleanup(killed.stop);
  await publishMessage(killed.url);
  process.kill(killed.pid, "SIGKILL");
  expect(await killed.exited).toEqual({ code: null, signal: "SIGKILL" });

  const restarted = await startNatsServer({ binary, dataDir: folder, port: killed.port });
  cleanup(restarted.stop);
  expect(restarted.url).toBe(killed.url);
  expect(await storedMessage(restarted.url)).toBe("still here");
});

test("a port that is taken is refused in the server's own words", async ({ folder, cleanup }) => {
  const binary = await natsBinary();
  const first = await startNatsServer({ binary, dataDir: `${folder}/one` });
  cleanup(first.stop);
  const second = startNatsServer({ binary, dataDir: `${folder}/two`, port: first.port });
  await expect(second).rejects.toMatchObject({ code: "unavailable" });
  await expect(second).rejects.toThrow(/nats-server did not start \(.*address already in use/s);
});

test("without monitoring there is no monitor address", async ({ folder, cleanup }) => {
  const binary = await natsBinary();
  const server = await startNatsServer({ binary, dataDir: folder, monitor: false });
  cleanup(server.stop);
  expect(server.monitorUrl).toBe("");
});

test("a stopped broker that hangs is killed after its grace", async ({ folder, cleanup }) => {
  const server = await startNatsServer({ binary: await natsBinary(), dataDir: folder });
  cleanup(() => server.stop());
  process.kill(server.pid, "SIGSTOP");
  await server.stop();
  expect(isRunning(server.pid)).toBe(false);
});
