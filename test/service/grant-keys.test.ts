import {
  constants,
  createCipheriv,
  generateKeyPairSync,
  publicEncrypt,
  randomBytes,
} from "node:crypto";
import {
  closeSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { type Change, copyBuild } from "../faults/build.ts";
import { startPlanner } from "../handlers/missions/planner.ts";
import { eventually } from "../rig/eventually.ts";
import { type Replica, startReplica } from "../rig/replica.ts";
import { openStack, type Stack } from "../rig/service.ts";

/** Letters and digits, so that it reads the same in whatever quotes it. */
const canary = randomBytes(16).toString("hex");
const key = Buffer.from(canary, "latin1");
const spellings: Readonly<Record<string, Buffer>> = {
  raw: key,
  utf16: Buffer.from(canary, "utf16le"),
  hex: Buffer.from(key.toString("hex")),
  "upper hex": Buffer.from(key.toString("hex").toUpperCase()),
  base64: Buffer.from(key.toString("base64").replace(/=+$/, "")),
  numbers: Buffer.from([...key].join(",")),
};
/** Whose letters the other spellings do not have: what stands in the file of the private key. */
const pem = generateKeyPairSync("rsa", { modulusLength: 2_048 });

function encrypted(text: string): string {
  const iv = randomBytes(12);
  const cipher = createCipheriv("aes-256-gcm", key, iv);
  const sealed = Buffer.concat([cipher.update(text), cipher.final(), cipher.getAuthTag()]);
  return `enc:1:${iv.toString("base64")}.${sealed.toString("base64")}`;
}

/** A replica that writes a heap snapshot into `folder` when it gets SIGUSR2. */
async function startWithKey(stack: Stack, folder: string, main: string): Promise<Replica> {
  const file = join(folder, "key.pem");
  writeFileSync(file, pem.privateKey.export({ type: "pkcs8", format: "pem" }));
  const replica = startReplica(
    stack.env({
      ...{ EXPERIENCE_CONCERNS: "missions", MISSION_PLANNER: "nats:planner", LOG_LEVEL: "trace" },
      ...{ MISSION_TICK_SECONDS: "0.2", MISSION_PRIVATE_KEY: file },
      NODE_OPTIONS: `--heapsnapshot-signal=SIGUSR2 --diagnostic-dir=${folder}`,
    }),
    main,
  );
  onTestFinished(async () => {
    replica.kill("SIGKILL");
    await replica.exited;
  });
  await replica.ready();
  return replica;
}

/** One value that can be decrypted, one that was tampered with, and one whose grant is for another key. */
async function plan(stack: Stack): Promise<void> {
  const asked = startPlanner(stack.broker.nc);
  const padding = constants.RSA_PKCS1_OAEP_PADDING;
  const wrapped = publicEncrypt({ key: pem.publicKey, padding, oaepHash: "sha256" }, key);
  const grant = { wrapped_key: wrapped.toString("base64"), tables: ["notes"], record_ids: ["n"] };
  const record = (table: string, record_id: string, data: object) => ({
    ...{ user_id: "ada", op: "insert", table, record_id, data },
  });
  const mission = (id: string, of: object) =>
    record("missions", id, {
      ...{ title: id, state: "active", next_run_at: new Date(Date.now() - 1_000).toISOString() },
      ...{ inputs: [{ table: "notes", id: "n" }] },
      grant: { ...grant, expires_at: Date.now() + 3_600_000, ...of },
    });
  const note = { text: encrypted("the plaintext"), torn: encrypted("x").replace(/..$/, "AA") };
  const changes = [
    record("notes", "n", note),
    mission("right", {}),
    mission("wrong", { wrapped_key: randomBytes(256).toString("base64") }),
  ];
  for (const one of changes) {
    await stack.broker.nc.request("experience.changes.append", JSON.stringify(one));
  }
  await eventually(() => new Set(asked.map((one) => one.mission_id)).size === 2, 20_000);
  await eventually(async () => {
    const [row] = await stack.database.sql`SELECT count(*)::int AS n FROM mission_iterations`;
    return row?.["n"] === 2;
  }, 20_000);
  expect(asked.map(({ prompt }) => prompt).join()).toContain("the plaintext");
}

async function heapSnapshot({ process: { pid = 0 } }: Replica, folder: string): Promise<Buffer> {
  process.kill(pid, "SIGUSR2");
  let text = Buffer.alloc(0);
  await eventually(() => {
    const [name] = readdirSync(folder).filter((one) => one.endsWith(".heapsnapshot"));
    text = name === undefined ? text : readFileSync(join(folder, name));
    return text.subarray(-16).toString().trimEnd().endsWith("]}");
  }, 60_000);
  return text;
}

const found = (text: Buffer) =>
  Object.entries(spellings).flatMap(([name, bytes]) => (text.includes(bytes) ? [name] : []));

/** Every page of the process that it may write, native memory included. */
function foundInMemory({ process: { pid } }: Replica): Set<string> {
  const maps = readFileSync(`/proc/${pid}/maps`, "utf8").split("\n");
  const memory = openSync(`/proc/${pid}/mem`, "r");
  const all = new Set<string>();
  for (const line of maps) {
    const [, from, to] = /^([0-9a-f]+)-([0-9a-f]+) rw/.exec(line) ?? [];
    if (from === undefined || to === undefined || line.endsWith("[vvar]")) continue;
    const bytes = Buffer.alloc(Number.parseInt(to, 16) - Number.parseInt(from, 16));
    try {
      readSync(memory, bytes, 0, bytes.length, Number.parseInt(from, 16));
    } catch {
      // Given back meanwhile.
      continue;
    }
    for (const name of found(bytes)) all.add(name);
  }
  closeSync(memory);
  return all;
}

async function after(changes: readonly Change[]) {
  const folder = mkdtempSync(join(tmpdir(), "experience-bus-heap-"));
  const build = copyBuild(changes);
  onTestFinished(() => {
    rmSync(folder, { recursive: true, force: true });
    build.remove();
  });
  const stack = await openStack();
  const replica = await startWithKey(stack, folder, build.main);
  await plan(stack);
  const memory = process.platform === "linux" ? foundInMemory(replica) : new Set();
  const snapshot = await heapSnapshot(replica, folder);
  return { memory, snapshot, replica };
}

test("after a plan no spelling of its key is in the memory of the process, a heap snapshot or the log", async () => {
  const { memory, snapshot, replica } = await after([]);
  expect(memory).toEqual(new Set());
  expect(found(snapshot)).toEqual([]);
  const said = Buffer.from(JSON.stringify([replica.log, replica.complaints]));
  expect(replica.log.length).toBeGreaterThan(5);
  expect(found(said)).toEqual([]);
  const secret = pem.privateKey.export({ type: "pkcs8", format: "pem" }).toString().split("\n")[3];
  expect([said, snapshot].some((text) => text.includes(secret ?? ""))).toBe(false);
}, 120_000);

test("a build that keeps a key, as bytes or as text, is found out", async () => {
  const forgets = {
    file: "handlers/missions/grant.js",
    from: "isOpen = false;\n            key.fill(0);",
  };
  const keeps = '(globalThis.kept ??= []).push(key, key.toString("base64"));';
  const { memory, snapshot } = await after([{ ...forgets, to: keeps }]);
  if (process.platform === "linux") expect(memory).toContain("raw");
  expect(found(snapshot)).toContain("base64");
}, 120_000);
