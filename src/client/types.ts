import type { experienceEventSchema } from "../handlers/extractor/wire.ts";
import type {
  outcomeSchema,
  recalledSchema,
  recallReplySchema,
  recallSchema,
} from "../handlers/lessons/wire.ts";
import type { storedEventSchema } from "../handlers/runs/wire.ts";
import type { Static } from "../schema/typebox.ts";

/** What happened to an agent; `agent_id` and `result` are what makes it worth something. */
export type ExperienceEvent = Static<typeof experienceEventSchema>;

/** One event of a run, as it is stored. */
export type RunEvent = Static<typeof storedEventSchema>;

/** What an agent is about to do; with a `run_id` what is handed out is on record, so that its effect can be measured. */
export type RecallRequest = Static<typeof recallSchema>;

export type Lesson = Static<typeof recalledSchema>;

/** Lessons for a prompt (`block`). Where the bus could not be asked in time: none, and `error`. */
export type Recalled = Static<typeof recallReplySchema> & { readonly error?: ClientError };

export interface Published {
  readonly stored: number;
  readonly duplicates: number;
  readonly invalid: readonly { readonly index: number; readonly reason: string }[];
  /** Whether they are stored is not known; publishing them again counts none twice. */
  readonly error?: ClientError;
}

/** How a run ended. */
export type Outcome = Static<typeof outcomeSchema>;

export interface ClientError {
  /** As the service has it; `unavailable` and `timeout` where it did not answer. */
  readonly code: string;
  readonly message: string;
  /** Absent: there was no answer. */
  readonly status?: number;
}

export interface ClientOptions {
  /** Of a replica or of what stands before several: `http://127.0.0.1:9109`. */
  readonly url: string;
  readonly token?: string;
  /** Where the token is for all tenants. */
  readonly tenantId?: string;
  /** Default 150 ms for `recall`, 5,000 ms for `publish` and `outcome`. */
  readonly deadlineMs?: { readonly recall?: number; readonly publish?: number };
  /** False: what goes wrong is thrown as a `BusClientError`. Default: it is handed back as `error`. */
  readonly failOpen?: boolean;
  /** Hears of everything that went wrong. */
  readonly onError?: (error: ClientError) => void;
  readonly fetch?: typeof fetch;
}
