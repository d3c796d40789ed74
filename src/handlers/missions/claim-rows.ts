import { type SQL, sql } from "drizzle-orm";
import { agentClaims, agentTokens } from "../../schema/tables.ts";
import type { MissionKey } from "./iteration.ts";

/** Parts of the statements about claims. */

export const now = sql`clock_timestamp()`;
const dayAgo = sql`${now} - interval '24 hours'`;

/** Nobody has claimed it, and it is not to be tried later. */
export const isFree = (claims: SQL) =>
  sql`(${claims}.expires_at <= ${now} AND (${claims}.retry_at IS NULL OR ${claims}.retry_at <= ${now}))`;

/** Of an entry in an agent's row: its claim has not expired. */
export const isLive = (entry: SQL) =>
  sql`(${entry}.value->>'until')::float8 > extract(epoch FROM ${now}) * 1000`;

/** The claims in an agent's row that have not expired. */
export const running = (row: SQL) => sql`
  (SELECT count(*)::int FROM jsonb_each(${row}.running) AS one WHERE ${isLive(sql`one`)})`;

/** The claims of an agent that have not expired. */
export function runningOf(tenantId: SQL, userId: SQL, agentId: SQL): SQL {
  return sql`coalesce((SELECT ${running(sql`r`)} FROM ${agentClaims} AS r WHERE r.tenant_id = ${tenantId}
    AND r.user_id = ${userId} AND r.agent_id = ${agentId}), 0)`;
}

/** Of the last 24 hours. */
export function tokensOf(tenantId: SQL, userId: SQL, agentId: SQL): SQL {
  return sql`(SELECT coalesce(sum(t.tokens), 0)::float8 FROM ${agentTokens} AS t
    WHERE t.tenant_id = ${tenantId} AND t.user_id = ${userId} AND t.agent_id = ${agentId}
      AND t.minute > ${dayAgo})`;
}

export function isMission(of: SQL, { tenantId, userId, missionId }: MissionKey): SQL {
  return sql`${of}.tenant_id = ${tenantId}::text AND ${of}.user_id = ${userId}::text
    AND ${of}.mission_id = ${missionId}::text`;
}

/**
 * The rows of the parameters `rows` (a JSON array) and `count`, which tells PostgreSQL how many there are: it takes any
 * JSON for a hundred, and might read a whole table for three.
 */
export const askedRows = (columns: SQL) => sql`
  SELECT * FROM jsonb_to_recordset(${sql.placeholder("rows")}::text::jsonb) AS asked (${columns})
  LIMIT ${sql.placeholder("count")}::int`;

export const valuesOf = (rows: readonly object[]) => ({
  rows: JSON.stringify(rows),
  count: rows.length,
});

/** Both are of one mission. */
export const isSameMission = (a: SQL, b: SQL) =>
  sql`${a}.tenant_id = ${b}.tenant_id AND ${a}.user_id = ${b}.user_id AND ${a}.mission_id = ${b}.mission_id`;
