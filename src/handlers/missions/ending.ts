import { type SQL, sql } from "drizzle-orm";
import { agentClaims, agentTokens, missionClaims } from "../../schema/tables.ts";
import { askedRows, isSameMission, now } from "./claim-rows.ts";

const isSameAgent = (a: SQL, b: SQL) =>
  sql`${a}.tenant_id = ${b}.tenant_id AND ${a}.user_id = ${b}.user_id AND ${a}.agent_id = ${b}.agent_id`;

/**
 * Ends claims without a result. A holder with an older token, or with a claim that has expired, writes nothing. Rows are locked
 * in the order of their keys, missions before agents, as everywhere.
 */
export const failing = sql`
  WITH asked AS MATERIALIZED (${askedRows(sql`tenant_id text, user_id text, mission_id text, token bigint,
    pause_ms float8, failures int, tokens bigint`)}
  ), locked AS MATERIALIZED (
    SELECT asked.* FROM asked JOIN ${missionClaims} AS c ON ${isSameMission(sql`c`, sql`asked`)}
    WHERE c.token = asked.token AND c.expires_at > ${now}
    ORDER BY c.tenant_id, c.user_id, c.mission_id FOR UPDATE OF c
  ), done AS (
    UPDATE ${missionClaims} AS c SET expires_at = '-infinity', failures = c.failures + locked.failures,
      retry_at = ${now} + locked.pause_ms * interval '1 millisecond'
    FROM locked WHERE ${isSameMission(sql`c`, sql`locked`)} AND c.token = locked.token
    RETURNING c.tenant_id, c.user_id, c.mission_id, c.agent_id, locked.token, locked.tokens
  ), ${ending(sql`done`)}
  SELECT 1 FROM done`;

/**
 * What follows for agents where claims end: what was used is added to the tokens of this minute, and the places among
 * what they run are given back, each by the token that it was taken with. `from` has the claims that have ended.
 */
export function ending(from: SQL): SQL {
  return sql`ended AS MATERIALIZED (
    SELECT tenant_id, user_id, agent_id, jsonb_object_agg(mission_id, token) AS claims,
      sum(tokens)::bigint AS tokens
    FROM ${from} WHERE agent_id IS NOT NULL GROUP BY tenant_id, user_id, agent_id
  ), spent AS (
    INSERT INTO ${agentTokens} AS t (tenant_id, user_id, agent_id, minute, tokens)
    SELECT tenant_id, user_id, agent_id, date_trunc('minute', ${now}), tokens FROM ended
    WHERE tokens > 0 ORDER BY tenant_id, user_id, agent_id
    ON CONFLICT (tenant_id, user_id, agent_id, minute) DO UPDATE SET tokens = t.tokens + EXCLUDED.tokens
  ), left_by AS MATERIALIZED (
    SELECT ended.* FROM ended JOIN ${agentClaims} AS r ON ${isSameAgent(sql`r`, sql`ended`)}
    ORDER BY r.tenant_id, r.user_id, r.agent_id FOR UPDATE OF r
  ), left_places AS (
    UPDATE ${agentClaims} AS r SET running = (
      SELECT coalesce(jsonb_object_agg(one.key, one.value), '{}') FROM jsonb_each(r.running) AS one
      WHERE left_by.claims->one.key IS DISTINCT FROM one.value->'token')
    FROM left_by WHERE ${isSameAgent(sql`r`, sql`left_by`)}
  )`;
}
