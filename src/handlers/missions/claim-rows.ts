import { type SQL, sql } from "drizzle-orm";
import { alias, type PgColumn } from "drizzle-orm/pg-core";
import { areAlike, type GivenFields, givenRows, namesIn } from "../../postgres/columns.ts";
import {
  agentClaims,
  agentSnapshots,
  agentTokens,
  missionClaims,
  missionSnapshots,
} from "../../schema/tables.ts";
import type { MissionKey } from "./iteration.ts";

/** Parts of the statements about claims, and what these call the rows of the tables. */

/** A mission's claim. */
export const c = alias(missionClaims, "c");
/** What an agent runs. */
export const r = alias(agentClaims, "r");
/** The snapshot of a mission, and of an agent. */
export const m = alias(missionSnapshots, "m");
export const a = alias(agentSnapshots, "a");

/** What identifies a mission, in the order in which rows are locked. */
export const missionFields = {
  tenantId: missionClaims.tenantId,
  userId: missionClaims.userId,
  missionId: missionClaims.missionId,
};
export const missionNames = Object.values(missionFields);

/** The same of an agent. */
export const agentNames = [agentClaims.tenantId, agentClaims.userId, agentClaims.agentId];

export const now = sql`clock_timestamp()`;
const dayAgo = sql`${now} - interval '24 hours'`;

/** Nobody has claimed it, and it is not to be tried later. */
export const isFree = sql`(${c.expiresAt} <= ${now} AND (${c.retryAt} IS NULL OR ${c.retryAt} <= ${now}))`;

/** Of `one`, an entry in an agent's row: its claim has not expired. */
export const isLive = sql`(one.value->>'until')::float8 > extract(epoch FROM ${now}) * 1000`;

/** The claims in an agent's row that have not expired. */
export const running = sql`
  (SELECT count(*)::int FROM jsonb_each(${r.running}) AS one WHERE ${isLive})`;

/** What tells an agent: values, or columns of a row. */
interface AgentPlace {
  readonly tenantId: SQL | PgColumn;
  readonly userId: SQL | PgColumn;
  readonly agentId: SQL | PgColumn;
}

/** The claims of an agent that have not expired. */
export function runningOf({ tenantId, userId, agentId }: AgentPlace): SQL {
  return sql`coalesce((SELECT ${running} FROM ${agentClaims} AS r WHERE ${r.tenantId} = ${tenantId}
    AND ${r.userId} = ${userId} AND ${r.agentId} = ${agentId}), 0)`;
}

/** Of the last 24 hours. */
export function tokensOf({ tenantId, userId, agentId }: AgentPlace): SQL {
  const t = alias(agentTokens, "t");
  return sql`(SELECT coalesce(sum(${t.tokens}), 0)::float8 FROM ${agentTokens} AS t
    WHERE ${t.tenantId} = ${tenantId} AND ${t.userId} = ${userId} AND ${t.agentId} = ${agentId}
      AND ${t.minute} > ${dayAgo})`;
}

export function isMission(row: string, { tenantId, userId, missionId }: MissionKey): SQL {
  return sql`(${namesIn(row, ...missionNames)}) = (${tenantId}::text, ${userId}::text, ${missionId}::text)`;
}

/** Both rows are of one mission. */
export const isSameMission = (row: string, other: string) => areAlike(row, other, ...missionNames);

/** `m` is the snapshot of that row's mission. */
export const isMissionOf = (row: string) =>
  sql`(${m.tenantId}, ${m.userId}, ${m.recordId}) = (${namesIn(row, ...missionNames)})`;

/** `a` is the snapshot of that row's agent. */
export const isAgentOf = (row: string) =>
  sql`(${a.tenantId}, ${a.userId}, ${a.recordId}) = (${namesIn(row, ...agentNames)})`;

/**
 * The rows of the parameters `rows` (a JSON array) and `count`, which tells PostgreSQL how many there are: it takes any
 * JSON for a hundred, and might read a whole table for three.
 */
export const askedRows = (fields: GivenFields) => sql`
  SELECT * FROM ${givenRows(sql.placeholder("rows"), fields)} AS asked
  LIMIT ${sql.placeholder("count")}::int`;

export const valuesOf = (rows: readonly object[]) => ({
  rows: JSON.stringify(rows),
  count: rows.length,
});
