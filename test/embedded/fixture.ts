import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import postgres from "postgres";
import { test as base } from "vitest";
import { locateNatsServer } from "../../src/embedded/nats-binary.ts";
import { poll } from "../../src/embedded/poll.ts";

type Cleanup = (undo: () => unknown) => void;

/** Each test gets a folder that only its user may enter, and a list of what to undo at its end. */
export const test = base.extend<{ folder: string; cleanup: Cleanup }>({
  // biome-ignore lint/correctness/noEmptyPattern: vitest reads a fixture's needs from its pattern
  folder: async ({}, use) => {
    const folder = await mkdtemp(join(tmpdir(), "experience-bus-test-"));
    await use(folder);
    await rm(folder, { recursive: true, force: true });
  },
  cleanup: async ({ folder: _removedAfter }, use) => {
    const undos: (() => unknown)[] = [];
    await use((undo) => undos.push(undo));
    for (const undo of undos.reverse()) await undo();
  },
});

export function natsBinary(): Promise<string> {
  return locateNatsServer({ env: process.env, log: (line) => console.error(line) });
}

/** Waits for a condition; an error names it when it did not come true in 15 s. */
export async function until(condition: string, holds: () => Promise<boolean> | boolean) {
  const came = await poll(async () => ((await holds()) ? true : undefined), 15_000);
  if (came === undefined) throw new Error(`never came true: ${condition}`);
}

/** A process that nobody has collected yet (a zombie) has ended all the same. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
}

export async function publishMessage(url: string): Promise<void> {
  const nc = await connect({ servers: url });
  const manager = await jetstreamManager(nc);
  await manager.streams.add({ name: "KEPT", subjects: ["kept.>"] });
  await jetstream(nc).publish("kept.one", "still here");
  await nc.close();
}

export async function storedMessage(url: string): Promise<string | undefined> {
  const nc = await connect({ servers: url });
  const manager = await jetstreamManager(nc);
  const message = await manager.streams.getMessage("KEPT", { seq: 1 });
  await nc.close();
  return message?.string();
}

export async function insertRow(url: string): Promise<void> {
  await query(url, "create table kept as select 'still here' as word");
}

export async function storedRow(url: string): Promise<unknown> {
  return (await query(url, "select word from kept"))[0]?.["word"];
}

export async function query(url: string, text: string) {
  const sql = postgres(url, { max: 1, ssl: false });
  try {
    return await sql.unsafe(text);
  } finally {
    await sql.end();
  }
}

export async function answers(url: string): Promise<boolean> {
  return connect({ servers: url, reconnect: false, timeout: 1_000 }).then(
    (nc) => nc.close().then(() => true),
    () => false,
  );
}
