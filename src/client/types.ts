import type { Static } from "typebox";
import type { experienceEventSchema } from "../handlers/extractor/wire.ts";
import type { storedEventSchema } from "../handlers/runs/wire.ts";

/** What happened to an agent; `agent_id` and `result` are what makes it worth something. */
export type ExperienceEvent = Static<typeof experienceEventSchema>;

/** One event of a run, as it is stored. */
export type RunEvent = Static<typeof storedEventSchema>;

/** What an agent is about to do. */
export interface RecallRequest {
  readonly agent_id: string;
  readonly task_type?: string;
  readonly tool?: string;
  readonly provider?: string;
  readonly model?: string;
  /** With it, what is handed out is on record, so that its effect can be measured. */
  readonly run_id?: string;
  readonly max_lessons?: number;
  readonly max_chars?: number;
  readonly tenant_id?: string;
}

export interface Lesson {
  readonly lesson_key: string;
  readonly lesson_type: string;
  readonly scope: string;
  readonly trigger: string;
  readonly [field: string]: unknown;
}

/** Lessons for a prompt. Where the bus could not be asked in time: none, and `error`. */
export interface Recalled {
  readonly lessons: readonly Lesson[];
  /** Keys of those that this run was given before. */
  readonly already: readonly string[];
  /** Text for a prompt, empty where there is nothing to say. */
  readonly block: string;
  readonly recorded: boolean;
  readonly error?: ClientError;
}

export interface Published {
  readonly stored: number;
  readonly duplicates: number;
  readonly invalid: readonly { readonly index: number; readonly reason: string }[];
  /** Whether they are stored is not known; publishing them again counts none twice. */
  readonly error?: ClientError;
}

export interface Outcome {
  readonly run_id: string;
  readonly success?: boolean;
  /** From 0 to 1. */
  readonly score?: number;
  readonly tenant_id?: string;
}

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
