import { type Broker, startBroker } from "../rig/broker.ts";
import { freshDatabase, type TestDatabase } from "../rig/database.ts";
import { eventually } from "../rig/eventually.ts";
import type { Failpoint } from "./failpoint.ts";
import { duplicateWindowMs } from "./publications.ts";
import {
  type ProxiedReplica,
  type Supervisor,
  startProxiedReplica,
  startSupervisor,
} from "./supervisor.ts";

/** A broker, a database and replicas of one test's own. */
export interface Stack {
  readonly broker: Broker;
  readonly database: TestDatabase;
  readonly supervisor: Supervisor;
  /** A replica beside the supervisor, which nobody replaces. */
  start(env?: Readonly<Record<string, string>>, main?: string): Promise<ProxiedReplica>;
  close(): Promise<void>;
}

export interface StackOptions {
  readonly main: string;
  readonly size: number;
  /** On top of settings that make waiting short. */
  readonly env?: Readonly<Record<string, string>>;
  readonly failpoint?: Pick<Failpoint, "interceptor">;
  /** Streams beside EXPERIENCE that are there from the start. */
  readonly streams?: readonly { readonly name: string; readonly subjects: string[] }[];
  /** A database on a server of the caller's own. */
  readonly openDatabase?: () => Promise<TestDatabase>;
}

export const durable = "experience-learner-v1";

const settings = {
  EXPERIENCE_ACK_WAIT_SECONDS: "1",
  EXPERIENCE_FETCH_BATCH: "32",
  EXPERIENCE_FETCH_TIMEOUT_SECONDS: "1",
  EXPERIENCE_OK_SAMPLE_PCT: "50",
};

export async function openStack(options: StackOptions): Promise<Stack> {
  const { main, size, env, failpoint, streams = [], openDatabase = freshDatabase } = options;
  const [broker, database] = await Promise.all([startBroker(), openDatabase()]);
  await broker.jsm.streams.add({
    name: "EXPERIENCE",
    subjects: ["agent.experience.v1.>"],
    duplicate_window: duplicateWindowMs * 1e6,
  });
  for (const stream of streams) await broker.jsm.streams.add(stream);
  const replicaOptions = {
    ...{ main, natsUrl: broker.url, databaseUrl: database.url },
    env: { ...settings, ...env },
    ...(failpoint && { failpoint }),
  };
  const supervisor = await startSupervisor({ ...replicaOptions, size });
  const others: ProxiedReplica[] = [];
  return {
    broker,
    database,
    supervisor,
    async start(changed, main = options.main) {
      const replica = await startProxiedReplica({
        ...{ ...replicaOptions, main },
        env: { ...replicaOptions.env, ...changed },
      });
      others.push(replica);
      return replica;
    },
    async close() {
      await Promise.all([supervisor.stop(), ...others.map((other) => other.remove())]);
      await Promise.all([broker.remove(), database.drop()]);
    },
  };
}

const source = { stream: "EXPERIENCE", durable };

/** Resolves when every replica that runs has asked for messages. */
export async function untilAllAsk(
  { broker, supervisor }: Pick<Stack, "broker" | "supervisor">,
  limitMs: number,
  { stream, durable: name } = source,
): Promise<void> {
  await eventually(async () => {
    const info = await broker.jsm.consumers.info(stream, name).catch(() => undefined);
    return (info?.num_waiting ?? 0) >= supervisor.replicas.length;
  }, limitMs);
}

/** Resolves when everything in the stream has been delivered and nothing waits to be acked. */
export async function untilQuiet(
  { jsm }: Pick<Broker, "jsm">,
  limitMs: number,
  { stream, durable: name } = source,
): Promise<void> {
  let last = "nothing known";
  const isQuiet = async () => {
    try {
      const { state } = await jsm.streams.info(stream);
      const info = await jsm.consumers.info(stream, name);
      const { num_pending, num_ack_pending, delivered, ack_floor } = info;
      last = JSON.stringify({ num_pending, num_ack_pending, delivered, ack_floor });
      const isThrough = delivered.stream_seq >= state.last_seq;
      return isThrough && num_pending === 0 && num_ack_pending === 0;
    } catch (error) {
      last = String(error);
      return false;
    }
  };
  try {
    await eventually(isQuiet, limitMs);
  } catch (error) {
    throw new Error(`not every message is accounted for: ${last}`, { cause: error });
  }
}
