import { type Replica, startReplica } from "../rig/replica.ts";
import { type Failpoint, transparent } from "./failpoint.ts";
import { startProxy, type TcpProxy } from "./proxy.ts";
import { natsProtocol, postgresProtocol } from "./wire.ts";

/** Replicas, each behind proxies of its own, and whoever starts a new one when one has died. */
export interface Supervisor {
  /** The living ones. */
  readonly replicas: readonly ProxiedReplica[];
  /** SIGKILLs since the start. */
  readonly kills: number;
  /** Ends that nobody ordered, with the last lines of the log. */
  readonly accidents: readonly string[];
  /** SIGKILLs all of them; successors start when `back` resolves. */
  killAll(back?: Promise<void>): void;
  stop(): Promise<void>;
}

export interface ProxiedReplica extends Replica {
  readonly nats: TcpProxy;
  readonly postgres: TcpProxy;
  /** SIGKILL, and nothing more of what it has sent goes on. */
  crash(): void;
  /** Kills it, if it lives. */
  remove(): Promise<void>;
}

/** What the stories are about; a concern beside them would add requests of its own to those that are counted. */
export const concernsUnderFault = "extractor,features,runs,deadletters";

export interface ReplicaOptions {
  readonly main: string;
  readonly natsUrl: string;
  readonly databaseUrl: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly failpoint?: Pick<Failpoint, "interceptor">;
}

export interface SupervisorOptions extends ReplicaOptions {
  readonly size: number;
}

/** Resolves when the first replicas are under way, not when they serve. */
export async function startSupervisor(options: SupervisorOptions): Promise<Supervisor> {
  const replicas = new Set<ProxiedReplica>();
  const accidents: string[] = [];
  let kills = 0;
  let stopping = false;
  let mayStart = Promise.resolve();

  async function start() {
    let isOrdered = false;
    const replica = await startProxiedReplica(options, () => {
      if (!isOrdered) kills += 1;
      isOrdered = true;
    });
    replicas.add(replica);
    // It was on its way when all were stopped.
    if (stopping) replica.kill("SIGKILL");
    return { replica, isOrdered: () => isOrdered };
  }

  /** Keeps one replica running, whichever it is. */
  async function keepRunning(first: Awaited<ReturnType<typeof start>>): Promise<void> {
    for (let started = first; ; started = await start()) {
      const { replica, isOrdered } = started;
      const end = await replica.exited;
      replicas.delete(replica);
      await replica.remove();
      if (!stopping && !isOrdered()) {
        const { log, complaints } = replica;
        accidents.push(JSON.stringify([end, log.slice(-3), complaints.slice(-3)]));
      }
      await mayStart;
      if (stopping) return;
    }
  }

  const first = await Promise.all(Array.from({ length: options.size }, start));
  const running = first.map(keepRunning);
  return {
    get replicas() {
      return [...replicas];
    },
    get kills() {
      return kills;
    },
    accidents,
    killAll(back = Promise.resolve()) {
      mayStart = back;
      for (const replica of replicas) replica.crash();
    },
    async stop() {
      stopping = true;
      for (const replica of replicas) replica.kill("SIGKILL");
      await Promise.all(running);
    },
  };
}

/** One replica behind its proxies, and nobody who replaces it. */
export async function startProxiedReplica(
  options: ReplicaOptions,
  onCrash: () => void = () => undefined,
): Promise<ProxiedReplica> {
  const { failpoint, natsUrl, databaseUrl } = options;
  const interceptor = failpoint
    ? () => failpoint.interceptor(crash, () => proxied)
    : () => transparent;
  const [nats, postgres] = await Promise.all([
    startProxy({ port: portOf(natsUrl) }, natsProtocol, interceptor),
    startProxy({ port: portOf(databaseUrl) }, postgresProtocol, interceptor),
  ]);
  const env = {
    NATS_URL: `nats://127.0.0.1:${nats.port}`,
    LEARNER_DATABASE_URL: databaseUrl.replace(/:\d+\//, `:${postgres.port}/`),
    LOG_LEVEL: "debug",
    EXPERIENCE_CONCERNS: concernsUnderFault,
    ...options.env,
  };
  const replica = startReplica(env, options.main);
  function crash(): void {
    onCrash();
    replica.kill("SIGKILL");
    nats.cut();
    postgres.cut();
  }
  const proxied: ProxiedReplica = {
    ...replica,
    nats,
    postgres,
    crash,
    async remove() {
      replica.kill("SIGKILL");
      await Promise.all([replica.exited, nats.close(), postgres.close()]);
    },
  };
  return proxied;
}

function portOf(url: string): number {
  return Number(new URL(url).port);
}
