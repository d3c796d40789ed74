import { JetStreamApiError, type JetStreamClient, type JetStreamManager } from "@nats-io/jetstream";
import { hasCode, jsCodes, orNull, translateNats } from "../../nats/errors.ts";
import { isUnanswered } from "../../nats/unanswered.ts";
import { exposures as names } from "../../subjects.ts";
import {
  decodeRecord,
  encodeRecord,
  type RunRecord,
  runToken,
  type ToldBefore,
} from "./exposure.ts";

/** A run's record and where it is in the stream. */
export interface StoredRecord {
  readonly record: ToldBefore;
  readonly sequence: number;
}

/**
 * What runs were told, on the stream `EXPOSURES`: a subject a run, each message written only where its run's last one is
 * the one that it was made from. So of two replicas that are asked at once one is first, and the other finds its record.
 */
export interface Recorder {
  /** Null: nothing is on record. Rejects as the client does, translated. */
  read(tenantId: string, runId: string): Promise<StoredRecord | null>;
  /**
   * Resolves to what `read` finds then. `after`: the sequence of what it was made from; 0: of nothing. `outpaced`: there is
   * another one by now; nothing is written. `lost`: certainly nothing is written. `unknown`: it may be written, now or later.
   */
  append(
    record: RunRecord,
    after: number,
    timeoutMs: number,
  ): Promise<StoredRecord | "outpaced" | "lost" | "unknown">;
}

export function openRecorder(js: JetStreamClient, jsm: JetStreamManager): Recorder {
  return {
    async read(tenantId, runId) {
      const query = { last_by_subj: names.subject(runToken(tenantId, runId)) };
      const message = await orNull(() => jsm.streams.getMessage(names.stream, query));
      if (message === null) return null;
      return storedIn(message.seq, decodeRecord(message.data));
    },
    async append(record, after, timeoutMs) {
      const subject = names.subject(runToken(record.tenantId, record.runId));
      try {
        const { seq } = await js.publish(subject, encodeRecord(record), {
          ...{ expect: { lastSubjectSequence: after }, timeout: timeoutMs },
        });
        return storedIn(seq, record);
      } catch (error) {
        if (hasCode(error, ...jsCodes.wrongLastSequence)) return "outpaced";
        if (error instanceof JetStreamApiError || isUnanswered(error)) return "lost";
        // Misuse of the client is a bug of ours.
        const translated = translateNats(error);
        if (translated === error) throw error;
        return "unknown";
      }
    },
  };
}

/** What a record says for the first time, its own message says. */
function storedIn(
  sequence: number,
  { tenantId, runId, agentId, ...told }: ToldBefore,
): StoredRecord {
  const exposures = told.exposures.map((one) =>
    one.storedIn === null ? { ...one, storedIn: sequence } : one,
  );
  return { record: { tenantId, runId, agentId, exposures }, sequence };
}
