import type { Signals } from "../extractor/signature.ts";
import type { Curation } from "./curation.ts";

/** What the coin's two arms have shown so far. */
export const verdicts = ["helps", "harms", "no_effect", "insufficient_data"] as const;
export type Verdict = (typeof verdicts)[number];

/** `trial` and `proven` are handed out by their share; `retired` and `dormant` are not. */
export const epochStates = ["trial", "proven", "retired", "dormant"] as const;
export type EpochState = (typeof epochStates)[number];

/** A time in which a lesson's share does not change. */
export interface Epoch {
  /** 1, 2, … */
  readonly epoch: number;
  /** With which probability a run is given the lesson. */
  readonly share: number;
  readonly state: EpochState;
  readonly verdict: Verdict;
  /** The share of failures that it prevents, at least: the lower end of what is not excluded. Null: not known. */
  readonly benefit: number | null;
}

/** How many runs failed so, and what those that recovered did. */
export interface Recovery {
  readonly runsFailed: number;
  /** Of the same agent and task. */
  readonly runsSeen: number;
  readonly runsRecovered: number;
  /** Tool → runs that recovered and had called it between the failure and the next success. */
  readonly between: Readonly<Record<string, number>>;
}

/** A lesson as recall knows it. Times are epoch ms. */
export interface KnownLesson {
  readonly lessonKey: string;
  readonly tenantId: string;
  readonly scope: string;
  /** `*`: any. */
  readonly agentId: string;
  readonly taskType: string;
  readonly lessonType: string;
  /** As stored: words of events may be in it. */
  readonly trigger: string;
  readonly action: string;
  readonly avoid: string;
  readonly signals: Signals;
  /** So often, within so many seconds, it was seen at least. */
  readonly threshold: number;
  readonly windowSeconds: number;
  /** Who signed the text of a reviewed lesson. */
  readonly reviewer: string | null;
  /** Of all its windows together; null: none has been counted yet. */
  readonly recovery: Recovery | null;
  readonly learnedAt: number;
  readonly lastSeenAt: number;
  readonly expiresAt: number | null;
  readonly curation: Curation;
  readonly epoch: Epoch;
}
