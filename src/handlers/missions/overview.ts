import { sql } from "drizzle-orm";
import { alias } from "drizzle-orm/pg-core";
import type { Database } from "../../postgres/client.ts";
import { epochMs } from "../../postgres/columns.ts";
import { rowsOf } from "../../postgres/rows.ts";
import {
  agentSnapshots,
  missionClaims,
  missionDecryptAudit,
  missionSnapshots,
} from "../../schema/tables.ts";
import { isoTime } from "./change.ts";
import { a, c, isAgentOf, isMission, m, now, runningOf, tokensOf } from "./claim-rows.ts";
import type { AgentLoad } from "./gates.ts";
import type { MissionKey } from "./iteration.ts";

/** A mission's claim, for people. Times are ISO 8601. */
export interface ClaimView {
  readonly token: number;
  readonly holder: string;
  /** Null: it is over. */
  readonly expires_at: string | null;
  readonly failures: number;
  readonly retry_at: string | null;
}

/** One attempt to decrypt a value for a plan. */
export interface DecryptAttempt {
  /** Grows with each attempt. */
  readonly id: number;
  /** ISO 8601. */
  readonly at: string;
  readonly iterationId: string;
  readonly table: string;
  readonly recordId: string;
  readonly field: string;
  /** `ok`, `failed` or `scope-violation`. */
  readonly outcome: string;
}

/** What people and gauges ask. Every method rejects as `Database.run` does. */
export interface Overview {
  loadOf(tenantId: string, userId: string, agentId: string): Promise<AgentLoad>;
  claimOf(mission: MissionKey): Promise<ClaimView | null>;
  /** What was decrypted for a mission, or was not: the newest first; those before the one with the id `before`. */
  attempts(mission: MissionKey, before: number | null, limit: number): Promise<DecryptAttempt[]>;
  /** Encrypted values of the last hour that no grant allowed. */
  scopeViolations(): Promise<number>;
  /** Missions that are due now; and for how long the oldest of those has been that no gate holds back. */
  due(): Promise<{ readonly missions: number; readonly oldestSeconds: number }>;
}

/** The database stays its opener's to close. */
export function openOverview(database: Database): Overview {
  const rows = rowsOf(database);
  return {
    async loadOf(tenantId, userId, agentId) {
      const agent = {
        tenantId: sql`${tenantId}::text`,
        userId: sql`${userId}::text`,
        agentId: sql`${agentId}::text`,
      };
      const [found] = await rows<{ running: number; tokens: number }>(sql`
        SELECT ${runningOf(agent)} AS running, ${tokensOf(agent)} AS tokens`);
      return found ?? { running: 0, tokens: 0 };
    },

    async claimOf(mission) {
      const [found] = await rows<{
        token: number | string;
        holder: string;
        expires_ms: number | null;
        failures: number;
        retry_ms: number | null;
      }>(sql`
        SELECT ${c.token}, ${c.holder}, ${c.failures}, ${epochMs(c.retryAt)} AS retry_ms,
          CASE WHEN ${c.expiresAt} > ${now} THEN ${epochMs(c.expiresAt)} END AS expires_ms
        FROM ${missionClaims} AS c WHERE ${isMission("c", mission)}`);
      if (found === undefined) return null;
      const { token, holder, failures, expires_ms, retry_ms } = found;
      const iso = (ms: number | null) => (ms === null ? null : isoTime(ms));
      return {
        ...{ token: Number(token), holder, failures },
        ...{ expires_at: iso(expires_ms), retry_at: iso(retry_ms) },
      };
    },

    attempts: async (mission, before, limit) => {
      const found = await rows<Omit<DecryptAttempt, "at"> & { at_ms: number }>(sql`
        SELECT ${tried.auditId}::float8 AS id, ${epochMs(tried.at)} AS at_ms,
          ${tried.iterationId} AS "iterationId", ${tried.tableName} AS "table",
          ${tried.recordId} AS "recordId", ${tried.field}, ${tried.outcome}
        FROM ${missionDecryptAudit} AS tried WHERE ${isMission("tried", mission)}
          AND (${before}::bigint IS NULL OR ${tried.auditId} < ${before}::bigint)
        ORDER BY ${tried.auditId} DESC LIMIT ${limit}::int`);
      return found.map(({ at_ms, ...rest }) => ({ ...rest, at: isoTime(at_ms) }));
    },

    async scopeViolations() {
      const of = missionDecryptAudit;
      const [found] = await rows<{ violations: number }>(sql`
        SELECT count(*)::float8 AS violations FROM ${of}
        WHERE ${of.outcome} = 'scope-violation' AND ${of.at} > now() - interval '1 hour'`);
      return found?.violations ?? 0;
    },

    async due() {
      const [found] = await rows<{ missions: number; oldest: number | null }>(dueFigures);
      return { missions: found?.missions ?? 0, oldestSeconds: Math.max(0, found?.oldest ?? 0) };
    },
  };
}

const tried = alias(missionDecryptAudit, "tried");

/** The oldest first, so that it ends at the first one that may run. */
const dueFigures = sql`
  SELECT
    (SELECT count(*)::int FROM ${missionSnapshots} WHERE ${missionSnapshots.dueAt} <= now()) AS missions,
    (SELECT extract(epoch FROM ${now} - ${m.dueAt})::float8
      FROM ${missionSnapshots} AS m LEFT JOIN ${agentSnapshots} AS a ON ${isAgentOf("m")}
      WHERE ${m.dueAt} <= now() AND (${m.agentId} IS NULL OR (
        NOT ${a.deleted} AND coalesce(${a.record}->>'state', 'active') = 'active'
        AND CASE coalesce(jsonb_typeof(${a.record}->'max_tokens_per_day'), 'null')
          WHEN 'null' THEN true
          WHEN 'number' THEN (${a.record}->>'max_tokens_per_day')::float8
            > ${tokensOf({ tenantId: a.tenantId, userId: a.userId, agentId: a.recordId })}
          ELSE false END))
      ORDER BY ${m.dueAt} LIMIT 1) AS oldest`;
