import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encodeAccount, encodeOperator, encodeUser, fmtCreds } from "@nats-io/jwt";
import { type NatsConnection, nkeys } from "@nats-io/transport-node";
import { generate } from "selfsigned";
import { expect, inject, onTestFinished, test } from "vitest";
import { startNatsServer } from "../../src/embedded/nats-server.ts";
import { connectNats, connectOnce } from "../../src/nats/connect.ts";
import type { NatsSettings } from "../../src/settings/index.ts";

interface TestServer {
  readonly url: string;
  readonly folder: string;
}

async function startServer(configOf: (folder: string) => string): Promise<TestServer> {
  const folder = mkdtempSync(join(tmpdir(), "experience-bus-nats-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, "server.conf"), configOf(folder));
  const args = ["-c", join(folder, "server.conf")];
  const server = await startNatsServer({ binary: inject("natsBinary"), dataDir: folder, args });
  onTestFinished(() => server.stop());
  return { url: server.url, folder };
}

/** One that asks for TLS, with a certificate for these names only, which is its own authority. */
async function startTlsServer(
  names: readonly { type: 2 | 7; value?: string; ip?: string }[],
  more = "",
) {
  const { cert, private: key } = await generate([{ name: "commonName", value: "nats" }], {
    extensions: [{ name: "subjectAltName", altNames: [...names] }],
  });
  return await startServer((folder) => {
    writeFileSync(join(folder, "cert.pem"), cert);
    writeFileSync(join(folder, "key.pem"), key);
    return `tls { cert_file: "${folder}/cert.pem", key_file: "${folder}/key.pem", ${more} }`;
  });
}

/** Whether it can be connected to, or why not. */
async function attempt(settings: Omit<NatsSettings, "inboxPrefix">): Promise<string> {
  try {
    const nc = await connectOnce({ ...settings, inboxPrefix: "_INBOX" }, 5_000);
    await nc.close();
    return "connected";
  } catch (error) {
    return String(error);
  }
}

test.for(["", "\n", "\r\n"])("a seed file may end in %j", async (ending) => {
  const user = nkeys.createUser();
  const { url, folder } = await startServer(
    () => `authorization { users: [{ nkey: ${user.getPublicKey()} }] }`,
  );
  const nkey = join(folder, "seed");
  writeFileSync(nkey, Buffer.concat([user.getSeed(), Buffer.from(ending)]));
  expect(await attempt({ url, nkey })).toBe("connected");
});

test("tls:// sends no password to a server without TLS", async () => {
  const { url } = await startServer(() => "authorization { user: svc, password: secret }");
  const credentials = { user: "svc", password: "secret" };
  expect(await attempt({ url, ...credentials })).toBe("connected");
  const refused = await attempt({ url: url.replace("nats:", "tls:"), ...credentials });
  expect(refused).toContain("server does not support 'tls'");
});

const address = { type: 7, ip: "127.0.0.1" } as const;
const otherAddress = { type: 7, ip: "127.0.0.2" } as const;
const localhost = { type: 2, value: "localhost" } as const;

test.for([
  { names: [address], host: "127.0.0.1", expected: "connected" },
  { names: [address, localhost], host: "localhost", expected: "connected" },
  { names: [localhost], host: "localhost", expected: "connected" },
  { names: [localhost], host: "127.0.0.1", expected: "does not match certificate" },
  { names: [otherAddress], host: "127.0.0.1", expected: "does not match certificate" },
  { names: [address], host: "localhost", expected: "does not match certificate" },
])("a server at $host whose certificate is for $names: $expected", async (one) => {
  const server = await startTlsServer(one.names);
  const url = server.url.replace("127.0.0.1", one.host);
  expect(await attempt({ url, ca: join(server.folder, "cert.pem") })).toContain(one.expected);
});

test("a seed that is rotated is used at the next connection; one half written is passed over", async () => {
  const [old, next] = [nkeys.createUser(), nkeys.createUser()];
  const { url, folder } = await startServer(
    () =>
      `authorization { users: [{ nkey: ${old.getPublicKey()} }, { nkey: ${next.getPublicKey()} }] }`,
  );
  const nkey = join(folder, "seed");
  writeFileSync(nkey, old.getSeed());
  const log = { info: () => undefined, warn: () => undefined };
  const nc = await connectNats({ url, nkey, inboxPrefix: "_INBOX" }, log);
  onTestFinished(() => nc.close());
  const userAfterReconnect = async () => {
    const statuses = nc.status();
    await nc.reconnect();
    for await (const { type } of statuses) if (type === "reconnect") break;
    const { data } = (await nc.request("$SYS.REQ.USER.INFO")).json<{ data: { user: string } }>();
    return data.user;
  };
  writeFileSync(nkey, "SUAB");
  expect(await userAfterReconnect()).toBe(old.getPublicKey());
  writeFileSync(nkey, next.getSeed());
  expect(await userAfterReconnect()).toBe(next.getPublicKey());
});

test("a server that wants TLS before it says anything is reached with NATS_TLS_FIRST", async () => {
  const { url, folder } = await startTlsServer([{ type: 7, ip: "127.0.0.1" }], "handshake_first: true"); // biome-ignore format: one line
  const ca = join(folder, "cert.pem");
  expect(await attempt({ url, ca, tlsFirst: true })).toBe("connected");
  expect(await attempt({ url, ca })).not.toBe("connected");
});

test("a user of a decentralised account that has expired is let in again once its file is renewed", async () => {
  const operator = nkeys.createOperator();
  const [account, system, user] = [nkeys.createAccount(), nkeys.createAccount(), nkeys.createUser()]; // biome-ignore format: one line
  const operatorToken = await encodeOperator("operator", operator);
  const limits = { conn: -1, subs: -1, data: -1, payload: -1, leaf: -1, imports: -1, exports: -1 };
  const accountToken = await encodeAccount("APP", account, { limits }, { signer: operator });
  const systemToken = await encodeAccount("SYS", system, {}, { signer: operator });
  const { url, folder } = await startServer(
    () => `operator: ${operatorToken}
      resolver: MEMORY
      system_account: ${system.getPublicKey()}
      resolver_preload: {
        ${system.getPublicKey()}: ${systemToken}
        ${account.getPublicKey()}: ${accountToken}
      }`,
  );
  const creds = join(folder, "user.creds");
  const renew = async (lastsSeconds: number) => {
    const expires = Math.floor(Date.now() / 1_000) + lastsSeconds;
    const token = await encodeUser("svc", user, account, {}, { exp: expires });
    const file = new TextDecoder().decode(fmtCreds(token, user)).trim();
    // As a secret store that cuts the last line break, and an editor of Windows, leave it.
    writeFileSync(creds, file.replaceAll("\n", "\r\n"));
  };
  await renew(2);
  const log = { info: () => undefined, warn: () => undefined };
  const nc = await connectNats({ url, creds, inboxPrefix: "_INBOX" }, log);
  onTestFinished(() => nc.close());
  // The server itself sends the user away when its time is over; the client goes on trying, in vain.
  const refused = attempts(nc, "error", 2);
  await refused;
  const back = attempts(nc, "reconnect", 1);
  await renew(3_600);
  await back;
  await nc.flush();
});

/** Resolves when the connection has told this so many times. */
async function attempts(nc: NatsConnection, wanted: string, times: number): Promise<void> {
  let seen = 0;
  for await (const { type } of nc.status()) {
    if (type === wanted) seen += 1;
    if (seen === times) return;
  }
}
