import { and, asc, desc, eq, sql } from "drizzle-orm";
import type { Database } from "../../postgres/client.ts";
import { epochMs } from "../../postgres/columns.ts";
import {
  lessonDecisions,
  lessonEpochs,
  lessonExposures,
  lessonOmissions,
  runOutcomes,
} from "../../schema/tables.ts";
import type { CurateAction, Decision } from "./curation.ts";
import type { Epoch } from "./lesson.ts";

/** A decision as it is kept. */
export interface KeptDecision extends Decision {
  readonly reason: string;
}

/** An epoch as it is kept, with why and when it began (epoch ms). */
export interface KeptEpoch extends Epoch {
  readonly reason: string;
  readonly at: number;
}

export interface RunOutcome {
  readonly success: boolean | null;
  /** 0 to 1. */
  readonly score: number | null;
  readonly at: number;
}

/** What a run was told of a lesson. Times are epoch ms. */
export interface Receipt {
  readonly lessonKey: string;
  readonly arm: "attached" | "held_out" | "omitted";
  readonly why: string | null;
  readonly share: number | null;
  readonly epoch: number | null;
  readonly at: number;
}

/** Decisions of people, epochs, and what runs were told and came to. Every method rejects as `Database.run` does. */
export interface Ledger {
  decide(
    lesson: { readonly tenantId: string; readonly lessonKey: string },
    decision: Omit<KeptDecision, "at">,
  ): Promise<void>;
  /** The newest first. */
  decisions(lessonKey: string): Promise<KeptDecision[]>;
  /** The newest first. */
  epochs(lessonKey: string): Promise<KeptEpoch[]>;
  noteOutcome(run: Run, outcome: Omit<RunOutcome, "at">): Promise<void>;
  /** The newest; null: its end was not reported. */
  outcome(run: Run): Promise<RunOutcome | null>;
  receipts(run: Run): Promise<Receipt[]>;
}

export interface Run {
  readonly tenantId: string;
  readonly runId: string;
}

/** The database stays its opener's to close. */
export function openLedger(database: Database): Ledger {
  return {
    async decide({ tenantId, lessonKey }, { action, until, by, reason }) {
      const ends = until === null ? null : new Date(until).toISOString();
      const decision = { tenantId, lessonKey, action, until: ends, decidedBy: by, reason };
      await database.run(async ({ db }) => db.insert(lessonDecisions).values(decision));
    },

    decisions: (lessonKey) =>
      database.run(async ({ db }) =>
        db
          .select({
            action: sql<CurateAction>`${lessonDecisions.action}`,
            until: sql<number | null>`${epochMs(lessonDecisions.until)}`,
            by: lessonDecisions.decidedBy,
            reason: lessonDecisions.reason,
            at: epochMs(lessonDecisions.at),
          })
          .from(lessonDecisions)
          .where(eq(lessonDecisions.lessonKey, lessonKey))
          .orderBy(desc(lessonDecisions.decisionId)),
      ),

    epochs: (lessonKey) =>
      database.run(async ({ db }) =>
        db
          .select({
            epoch: lessonEpochs.epoch,
            share: lessonEpochs.share,
            state: sql<Epoch["state"]>`${lessonEpochs.state}`,
            verdict: sql<Epoch["verdict"]>`${lessonEpochs.verdict}`,
            benefit: lessonEpochs.benefit,
            reason: lessonEpochs.reason,
            at: epochMs(lessonEpochs.at),
          })
          .from(lessonEpochs)
          .where(eq(lessonEpochs.lessonKey, lessonKey))
          .orderBy(desc(lessonEpochs.epoch)),
      ),

    async noteOutcome({ tenantId, runId }, { success, score }) {
      await database.run(async ({ db }) =>
        db.insert(runOutcomes).values({ tenantId, runId, success, score }),
      );
    },

    async outcome({ tenantId, runId }) {
      const of = runOutcomes;
      const [found] = await database.run(async ({ db }) =>
        db
          .select({ success: of.success, score: of.score, at: epochMs(of.at) })
          .from(of)
          .where(and(eq(of.tenantId, tenantId), eq(of.runId, runId)))
          .orderBy(desc(of.outcomeId))
          .limit(1),
      );
      return found ?? null;
    },

    async receipts(run) {
      const [exposed, omitted] = await Promise.all([
        database.run(async ({ db }) =>
          db
            .select({
              lessonKey: lessonExposures.lessonKey,
              attached: lessonExposures.attached,
              share: lessonExposures.share,
              epoch: lessonExposures.epoch,
              at: epochMs(lessonExposures.exposedAt),
            })
            .from(lessonExposures)
            .where(of(lessonExposures, run))
            .orderBy(asc(lessonExposures.exposedAt), asc(lessonExposures.lessonKey)),
        ),
        database.run(async ({ db }) =>
          db
            .select({
              lessonKey: lessonOmissions.lessonKey,
              why: lessonOmissions.why,
              at: epochMs(lessonOmissions.omittedAt),
            })
            .from(lessonOmissions)
            .where(of(lessonOmissions, run))
            .orderBy(asc(lessonOmissions.omittedAt), asc(lessonOmissions.lessonKey)),
        ),
      ]);
      const arms = exposed.map(({ attached, ...rest }): Receipt => {
        return { ...rest, arm: attached ? "attached" : "held_out", why: null };
      });
      return [...arms, ...omitted.map(cutReceipt)];
    },
  };
}

const cutReceipt = ({
  lessonKey,
  why,
  at,
}: {
  lessonKey: string;
  why: string;
  at: number;
}): Receipt => ({
  ...{ lessonKey, arm: "omitted", why },
  ...{ share: null, epoch: null, at },
});

const of = (table: typeof lessonExposures | typeof lessonOmissions, { tenantId, runId }: Run) =>
  and(eq(table.tenantId, tenantId), eq(table.runId, runId));
