import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "vitest";
import { spawnServers } from "../../src/embedded/spawn.ts";
import {
  answers,
  insertRow,
  isRunning,
  publishMessage,
  storedMessage,
  storedRow,
  test,
  until,
} from "./fixture.ts";
import { serverPids } from "./program.ts";

const log = () => undefined;

test("what was stored is there again after a stop and a new start", async ({ folder, cleanup }) => {
  const first = await spawnServers({ dataDir: folder, log });
  cleanup(first.stop);
  await publishMessage(first.natsUrl);
  await insertRow(first.databaseUrl);
  await first.stop();
  expect(await answers(first.natsUrl)).toBe(false);

  const second = await spawnServers({ dataDir: folder, log });
  cleanup(second.stop);
  expect(await storedMessage(second.natsUrl)).toBe("still here");
  expect(await storedRow(second.databaseUrl)).toBe("still here");
  expect((await fetch(`${second.natsMonitorUrl}/healthz`)).ok).toBe(true);
});

test("a failed start rejects with what the servers complained about", async ({ folder }) => {
  const file = join(folder, "file");
  await writeFile(file, "");
  const start = spawnServers({ dataDir: file, log });
  await expect(start).rejects.toMatchObject({ code: "unavailable" });
  await expect(start).rejects.toThrow(/^The embedded servers failed:\n.*EEXIST.*file/s);
});

test("servers that die by themselves are reported", async ({ folder, cleanup }) => {
  const servers = await spawnServers({ dataDir: folder, log });
  cleanup(servers.stop);
  process.kill((await serverPids(folder)).postgres, "SIGKILL");
  expect(await servers.failed).toContain("PostgreSQL stopped by itself (ended by SIGKILL)");
});

test("the servers stop when the program that uses them is killed", async ({ folder, cleanup }) => {
  const program = `
    import { spawnServers } from "./src/embedded/spawn.ts";
    const servers = await spawnServers({ dataDir: ${JSON.stringify(folder)}, log: () => undefined });
    console.log(servers.pid);
  `;
  const user = spawn(process.execPath, ["--import", "tsx", "--input-type=module", "-e", program], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  cleanup(() => user.kill("SIGKILL"));
  const pid = Number(String((await once(user.stdout, "data"))[0]));
  const { nats, postgres } = await serverPids(folder);
  user.kill("SIGKILL");
  await until("all are gone", () => ![pid, nats, postgres].some(isRunning));
});
