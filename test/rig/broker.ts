import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type JetStreamClient,
  type JetStreamManager,
  jetstream,
  jetstreamManager,
} from "@nats-io/jetstream";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { inject } from "vitest";
import { type NatsServer, startNatsServer } from "../../src/embedded/nats-server.ts";
import { eventually } from "./eventually.ts";
import { freePort } from "./ports.ts";

/** A nats-server of the test's own, which it may kill and start again on the same data and port. */
export interface Broker {
  readonly url: string;
  readonly port: number;
  readonly nc: NatsConnection;
  readonly js: JetStreamClient;
  readonly jsm: JetStreamManager;
  /** SIGKILL, and wait until it is gone. */
  kill(): Promise<void>;
  restart(): Promise<void>;
  /** SIGSTOP and SIGCONT: sockets stay open, nobody answers. */
  freeze(): void;
  thaw(): void;
  remove(): Promise<void>;
}

export async function startBroker(args: string[] = []): Promise<Broker> {
  const binary = inject("natsBinary");
  const dataDir = mkdtempSync(join(tmpdir(), "experience-bus-nats-"));
  // It must still be free when the server is started again.
  const port = await freePort();
  let server: NatsServer = await startNatsServer({ binary, dataDir, port, args });
  const nc = await connect({
    servers: server.url,
    maxReconnectAttempts: -1,
    reconnectTimeWait: 50,
    ignoreAuthErrorAbort: true,
  });
  const jsm = await jetstreamManager(nc);
  const restart = async () => {
    server = await startNatsServer({ binary, dataDir, port, args });
    await eventually(() =>
      nc.flush().then(
        () => true,
        () => false,
      ),
    );
  };
  return {
    url: server.url,
    port,
    nc,
    js: jetstream(nc),
    jsm,
    async kill() {
      process.kill(server.pid, "SIGKILL");
      await server.exited;
    },
    restart,
    freeze: () => process.kill(server.pid, "SIGSTOP"),
    thaw: () => process.kill(server.pid, "SIGCONT"),
    async remove() {
      await nc.close();
      await server.stop();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}
