import { onTestFinished } from "vitest";
import { desiredState } from "../../src/handlers/derived.ts";
import { type AttemptsLog, noAttempts, openAttemptsLog } from "../../src/kv/attempts.ts";
import { openDocuments } from "../../src/kv/documents.ts";
import { ensureDurable, provision } from "../../src/nats/provision.ts";
import {
  type BatchContext,
  type RunningConsumer,
  type skipped,
  startConsumer,
} from "../../src/runtime/consumer.ts";
import { openDeadLetterWriter } from "../../src/runtime/dead-letter-writer.ts";
import type { StoredMessage } from "../../src/runtime/delivery.ts";
import type { ConsumerTracing } from "../../src/runtime/traced.ts";
import { readSettings } from "../../src/settings/index.ts";
import { type Broker, startBroker } from "../rig/broker.ts";
import { wantedBy } from "../rig/desired.ts";
import { type LogLine, recordingLog } from "../rig/service.ts";

/** The smallest concern there is: it reads texts, and the test says what becomes of them. */
export interface Toy {
  readonly broker: Broker;
  readonly attempts: AttemptsLog;
  publish(...texts: string[]): Promise<void>;
  start(options: ToyOptions): ToyConsumer;
  /** What JetStream says of the durable. */
  figures(): Promise<{ pending: number; ackPending: number; redelivered: number; acked: number }>;
  /** Everything published so far is acked or given up. */
  isDone(): Promise<boolean>;
  /**
   * Resolves when messages have been kept alive so often from now on; it happens every third of
   * ack_wait, so that seven times are more than two ack_waits.
   */
  keptAlive(times: number): Promise<void>;
  /** Code, reason, attempts and text of each. */
  deadLetters(): Promise<string[][]>;
}

export interface ToyOptions {
  readonly handle: (texts: readonly string[], batch: BatchContext) => Promise<void>;
  readonly decode?: (message: StoredMessage) => string | null | typeof skipped;
  readonly onInvalid?: () => void;
  readonly batch?: number;
  readonly maxDeliver?: number;
  readonly tracing?: ConsumerTracing;
  /** Makes the streams anew unless given. */
  readonly repair?: () => Promise<void>;
}

export interface ToyConsumer extends RunningConsumer {
  readonly log: readonly LogLine[];
  readonly fatal: readonly unknown[];
  /** Of every delivery, whether it was a further one. */
  readonly deliveries: readonly boolean[];
}

export async function openToy(env: Record<string, string> = {}): Promise<Toy> {
  const broker = await startBroker();
  const running: RunningConsumer[] = [];
  onTestFinished(async () => {
    await Promise.all(running.map((consumer) => consumer.stop(0)));
    await broker.remove();
  });
  const { nc, js, jsm } = broker;
  const settings = readSettings({
    NATS_URL: broker.url,
    LEARNER_DATABASE_URL: "postgres://unused",
    EXPERIENCE_STREAM_NAME: "TOY",
    EXPERIENCE_SUBJECT: "toy.>",
    EXPERIENCE_DURABLE: "player",
    ...env,
  });
  const wanted = wantedBy(settings);
  const makeAnew = async () => {
    await provision(jsm, desiredState(settings, ["extractor"]), "apply");
  };
  await makeAnew();
  const { log, lines } = recordingLog();
  const attempts = openAttemptsLog(
    await openDocuments({
      js,
      bucket: "player-attempts",
      prefix: "attempts.",
      empty: noAttempts,
      recreate: makeAnew,
      log,
    }),
  );
  const figures = async () => {
    const info = await jsm.consumers.info("TOY", "player");
    return {
      pending: info.num_pending,
      ackPending: info.num_ack_pending,
      redelivered: info.num_redelivered,
      acked: info.ack_floor.stream_seq,
    };
  };
  return {
    broker,
    attempts,
    figures,
    async publish(...texts) {
      await Promise.all(texts.map((text) => js.publish("toy.box", text)));
    },
    start({ handle, decode, onInvalid, batch = 256, maxDeliver = 20, tracing, repair = makeAnew }) {
      const fatal: unknown[] = [];
      const deliveries: boolean[] = [];
      const consumer = startConsumer<string>(
        {
          stream: "TOY",
          durable: "player",
          decode: decode ?? (({ data }) => Buffer.from(data).toString()),
          handle,
          ...(onInvalid && { onInvalid }),
        },
        {
          nc,
          open: () => ensureDurable(jsm, wanted.durables.experience, "apply"),
          repair,
          batch,
          expiresMs: 2_000,
          maxDeliver,
          attempts,
          deadLetters: openDeadLetterWriter(nc, js),
          events: {
            delivered: (again) => deliveries.push(again),
            acked: () => undefined,
            naked: () => undefined,
            deadLettered: () => undefined,
            batchDone: () => undefined,
          },
          ...(tracing && { tracing }),
          log,
          onFatal: (error) => fatal.push(error),
        },
      );
      running.push(consumer);
      return { ...consumer, log: lines, fatal, deliveries };
    },
    async isDone() {
      // The number of pending messages follows a publication with a delay; sequences do not.
      const { state } = await jsm.streams.info("TOY");
      const { acked } = await figures();
      return acked >= state.last_seq;
    },
    async keptAlive(times) {
      const acks = nc.subscribe("$JS.ACK.TOY.player.>");
      const seen = new Map<string, number>();
      for await (const ack of acks) {
        if (ack.string() !== "+WPI") continue;
        seen.set(ack.subject, (seen.get(ack.subject) ?? 0) + 1);
        if (Math.max(...seen.values()) >= times) return;
      }
    },
    async deadLetters() {
      const stream = await js.streams.get("DEAD_LETTERS");
      const { messages } = (await stream.info()).state;
      const all = Array.from({ length: messages }, (_, i) => stream.getMessage({ seq: i + 1 }));
      return (await Promise.all(all)).flatMap((letter) =>
        letter === null
          ? []
          : [
              ["Code", "Reason", "Attempts"]
                .map((name) => letter.header.get(`Dead-Letter-${name}`))
                .concat(letter.string()),
            ],
      );
    },
  };
}

/** A promise and what settles it from outside. */
export function gate(): { readonly opened: Promise<void>; open(): void } {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}

/** Delivers the first message `times` times to a client that hands it back at once. */
export async function redeliver({ broker: { js } }: Toy, times: number): Promise<void> {
  const consumer = await js.consumers.get("TOY", "player");
  for (let i = 0; i < times; i++) (await consumer.next({ expires: 5_000 }))?.nak();
}
