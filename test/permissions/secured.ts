import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { connect, errors, type NatsConnection } from "@nats-io/transport-node";
import { onTestFinished } from "vitest";
import { startNatsServer } from "../../src/embedded/nats-server.ts";
import { eventually } from "../rig/eventually.ts";

export const users = ["service", "provisioner", "agent", "producer", "reader", "operator"] as const;
export type User = (typeof users)[number];

const shipped = new URL("../../deploy/nats/nats-server.conf", import.meta.url);

/** A nats-server on the configuration that is shipped, with one user more, who may do everything. */
export interface SecuredBroker {
  readonly url: string;
  /** Of the environment: how the service connects as that user. */
  env(user: User): Record<string, string>;
  connect(user: User | "admin" | "scout"): Promise<NatsConnection>;
  /** Every violation that the server has logged, and every one that these connections were told of. */
  violations(): string[];
  /** What that user has published and subscribed to by now: entries of its permissions, as they would have to be. */
  used(user: User): { readonly publish: readonly string[]; readonly subscribe: readonly string[] };
  restart(): Promise<void>;
  /** The shipped configuration, changed, is what counts from now on. */
  reload(change: (config: string) => string): Promise<void>;
}

const passwordOf = (user: string) => `secret-of-${user}`;

/** Call it within a test: the server goes when the test has finished. `certificates`: where `tls.conf` has them. */
export async function startSecuredBroker(
  binary: string,
  change = (config: string) => config,
  certificates = "certs",
): Promise<SecuredBroker> {
  const folder = mkdtempSync(join(tmpdir(), "experience-bus-secured-"));
  const [config, log, program] = ["nats.conf", "nats.log", "nats-server.sh"].map((name) =>
    join(folder, name),
  ) as [string, string, string];
  const dataDir = join(folder, "data");
  const write = (changed: typeof change) => {
    const admin = `users: [\n{ user: admin, password: "${passwordOf("admin")}" }\n`;
    const text = readFileSync(shipped, "utf8")
      .replace("users: [\n", admin)
      .replace('store_dir: "./data"', `store_dir: ${JSON.stringify(dataDir)}`);
    writeFileSync(config, changed(text));
  };
  write(change);
  const tls = readFileSync(new URL("tls.conf", shipped), "utf8");
  writeFileSync(join(folder, "tls.conf"), tls.replaceAll('"certs/', `"${certificates}/`));
  const passwords = users.map((user) => `NATS_${user.toUpperCase()}_PASSWORD=${passwordOf(user)}`);
  writeFileSync(program, programText(`env ${passwords.join(" ")} ${binary}`));
  chmodSync(program, 0o755);
  const launch = (port?: number) =>
    startNatsServer({
      binary: program,
      dataDir,
      ...(port !== undefined && { port }),
      args: ["-c", config, "-l", log, "-V"],
    });
  let server = await launch();
  const connections: NatsConnection[] = [];
  const told: string[] = [];
  onTestFinished(async () => {
    await Promise.all(connections.map((nc) => nc.close()));
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  });
  const logged = (what: RegExp) =>
    readFileSync(log, "utf8")
      .split("\n")
      .filter((line) => what.test(line));
  return {
    url: server.url,
    env: (user) => ({
      NATS_URL: server.url,
      NATS_USER: user,
      NATS_PASSWORD: passwordOf(user),
      NATS_INBOX_PREFIX: `_INBOX_${user}`,
    }),
    async connect(user) {
      const nc = await connect({
        servers: server.url,
        user,
        pass: passwordOf(user),
        inboxPrefix: `_INBOX_${user}`,
        maxReconnectAttempts: -1,
        reconnectTimeWait: 50,
      });
      connections.push(nc);
      void (async () => {
        for await (const status of nc.status()) {
          if (status.type === "error") told.push(`${user}: ${status.error.message}`);
        }
      })();
      return nc;
    },
    violations: () => [...logged(/violation|not authorized/i), ...told],
    used: (user) => usedBy(user, logged(/<<- \[/)),
    async restart() {
      await server.stop();
      server = await launch(server.port);
    },
    async reload(changed) {
      const reloads = () => logged(/Reloaded server configuration/).length;
      const before = reloads();
      write(changed);
      process.kill(server.pid, "SIGHUP");
      await eventually(() => reloads() > before);
    },
  };
}

/** From the trace of what clients sent: `cid:7 … <<- [PUB subject …]`. */
function usedBy(user: User, trace: readonly string[]) {
  const clientOf = (line: string) => / (cid:\d+) /.exec(line)?.[1];
  const isTheirs = (line: string) =>
    line.includes("[CONNECT ") && line.includes(`"user":"${user}"`);
  const clients = new Set(trace.filter(isTheirs).map(clientOf));
  const publish = new Set<string>();
  const subscribe = new Set<string>();
  for (const line of trace) {
    if (!clients.has(clientOf(line))) continue;
    const [, verb, subject = "", queue] =
      /<<- \[(H?PUB|SUB) (\S+)(?: ([a-z-]+) \d+)?/.exec(line) ?? [];
    if (verb === "SUB") subscribe.add(queue === undefined ? subject : `${subject} ${queue}`);
    else if (verb !== undefined) publish.add(subject);
  }
  return { publish: [...publish], subscribe: [...subscribe] };
}

/**
 * Runs a server without the folder that is named on its command line: it is in the configuration, and a server
 * 2.10 that finds it in one place only reloads nothing.
 */
const programText = (command: string) => `#!/bin/sh
left=$#
while [ $left -gt 0 ]; do
  word=$1; shift; left=$((left - 1))
  if [ "$word" = --store_dir ]; then shift; left=$((left - 1)); else set -- "$@" "$word"; fi
done
exec ${command} "$@"
`;

/** Without the entry of the service that permits this; a reason beside it tells it from others. */
export function without(entry: string, reason = ""): (config: string) => string {
  return (config) => {
    const line = config
      .split("\n")
      .find((one) => one.trim().startsWith(JSON.stringify(entry)) && one.includes(reason));
    if (line === undefined) throw new Error(`${entry} is not there`);
    return config.replace(`${line}\n`, "");
  };
}

/** Whether the server refuses it to that connection; what it does not refuse is done. */
export async function isRefused(
  nc: NatsConnection,
  operation: "publish" | "subscribe",
  subject: string,
): Promise<boolean> {
  if (operation === "publish") {
    const failed = await nc.request(subject, "", { timeout: 1_000 }).then(
      () => null,
      (error: unknown) => error,
    );
    return isViolation(failed);
  }
  let refused = false;
  const [name = "", queue] = subject.split(" ");
  const subscription = nc.subscribe(name, {
    ...(queue !== undefined && { queue }),
    callback: (error) => {
      if (error) refused = isViolation(error);
    },
  });
  await nc.flush();
  if (!refused) subscription.unsubscribe();
  return refused;
}

function isViolation(error: unknown): boolean {
  if (error instanceof errors.PermissionViolationError) return true;
  return error instanceof Error && isViolation(error.cause);
}

export async function streamsOf(nc: NatsConnection) {
  return { js: jetstream(nc), jsm: await jetstreamManager(nc) };
}
