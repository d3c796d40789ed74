import { connect } from "@nats-io/transport-node";
import { startBroker } from "../rig/broker.ts";
import { freshDatabase } from "../rig/database.ts";
import { freePort } from "../rig/ports.ts";
import { type Replica, startReplica } from "../rig/replica.ts";
import { figures, get } from "../rig/service.ts";
import { concernsUnderFault } from "./supervisor.ts";

/** Replicas right on their servers: proxies of ours would take part in the load. */
export interface Fleet {
  /** Those that have not been told to stop, the oldest first. */
  readonly members: readonly Member[];
  /** Resolves when it is under way, not when it serves. */
  start(): Promise<Member>;
  /** SIGTERM, and wait for the end. */
  stop(member: Member): Promise<Ending>;
  /** SIGKILLs whoever still lives. */
  close(): Promise<void>;
}

export interface Member extends Replica {
  readonly httpPort: number;
  /** Every sample of `/metrics`. */
  figures(): Promise<Record<string, number>>;
}

export interface Ending {
  readonly code: number | null;
  readonly ms: number;
  /** The last of its log, for when the code is a surprise. */
  readonly log: string;
}

export interface FleetOptions {
  readonly main: string;
  readonly natsUrl: string;
  readonly databaseUrl: string;
  readonly env?: Readonly<Record<string, string>>;
}

export function openFleet({ main, natsUrl, databaseUrl, env }: FleetOptions): Fleet {
  const members = new Set<Member>();
  const all: Member[] = [];
  return {
    get members() {
      return [...members];
    },
    async start() {
      // Known before it starts, so that it can be asked while it does.
      const httpPort = await freePort();
      const replica = startReplica(
        {
          NATS_URL: natsUrl,
          LEARNER_DATABASE_URL: databaseUrl,
          HTTP_PORT: String(httpPort),
          EXPERIENCE_CONCERNS: concernsUnderFault,
          ...env,
        },
        main,
      );
      const http = (path: string) => get(httpPort, path);
      const member = { ...replica, httpPort, figures: () => figures({ http }) };
      members.add(member);
      all.push(member);
      return member;
    },
    async stop(member) {
      members.delete(member);
      const startedAt = performance.now();
      const code = await member.stop();
      const ms = performance.now() - startedAt;
      return { code, ms, log: JSON.stringify([member.log.slice(-3), member.complaints]) };
    },
    async close() {
      for (const member of all) member.kill("SIGKILL");
      await Promise.all(all.map(({ exited }) => exited));
    },
  };
}

/** A fleet on a broker and a database of one test's own, and a connection for its load. */
export async function openFleetStack(
  main: string,
  onTestFinished: (close: () => Promise<void>) => void,
) {
  const [broker, database] = await Promise.all([startBroker(), freshDatabase()]);
  const nc = await connect({ servers: broker.url });
  const fleet = openFleet({ main, natsUrl: broker.url, databaseUrl: database.url });
  onTestFinished(async () => {
    await fleet.close();
    await nc.close();
    await Promise.all([broker.remove(), database.drop()]);
  });
  return { broker, database, nc, fleet };
}

/** For a line of figures. */
export function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
