import { type SQL, sql } from "drizzle-orm";
import { alias } from "drizzle-orm/pg-core";
import { areAlike, columnNames, namesIn } from "../../postgres/columns.ts";
import { agentClaims, agentTokens, missionClaims } from "../../schema/tables.ts";
import { agentNames, askedRows, c, isSameMission, missionNames, now, r } from "./claim-rows.ts";
import { tokenFields } from "./claiming.ts";

/** A claim that is to end without a result. */
export const failureFields = {
  ...tokenFields,
  failures: missionClaims.failures,
  tokens: agentTokens.tokens,
  pauseMs: sql`float8`,
};

/**
 * Ends claims without a result. A holder with an older token, or with a claim that has expired, writes nothing. Rows are locked
 * in the order of their keys, missions before agents, as everywhere.
 */
export const failing = endingWithoutResult();

function endingWithoutResult(): SQL {
  const { token, failures, expiresAt, retryAt, agentId } = missionClaims;
  return sql`
    WITH asked AS MATERIALIZED (${askedRows(failureFields)}
    ), locked AS MATERIALIZED (
      SELECT asked.* FROM asked JOIN ${missionClaims} AS c ON ${isSameMission("c", "asked")}
      WHERE ${areAlike("c", "asked", token)} AND ${c.expiresAt} > ${now}
      ORDER BY ${namesIn("c", ...missionNames)} FOR UPDATE OF c
    ), done AS (
      UPDATE ${missionClaims} AS c SET ${columnNames(expiresAt)} = '-infinity',
        ${columnNames(failures)} = ${c.failures} + ${namesIn("locked", failures)},
        ${columnNames(retryAt)} = ${now} + locked."pauseMs" * interval '1 millisecond'
      FROM locked WHERE ${isSameMission("c", "locked")} AND ${areAlike("c", "locked", token)}
      RETURNING ${namesIn("c", ...missionNames, agentId)}, ${namesIn("locked", token, agentTokens.tokens)}
    ), ${ending("done")}
    SELECT 1 FROM done`;
}

/**
 * What follows for agents where claims end: what was used is added to the tokens of this minute, and the places among
 * what they run are given back, each by the token that it was taken with. `from` has the claims that have ended.
 */
export function ending(from: string): SQL {
  const t = alias(agentTokens, "t");
  const agent = columnNames(...agentNames);
  const { missionId, token, agentId } = missionClaims;
  const [minute, tokens] = [columnNames(agentTokens.minute), columnNames(agentTokens.tokens)];
  const isSameAgent = (row: string, other: string) => areAlike(row, other, ...agentNames);
  return sql`ended AS MATERIALIZED (
    SELECT ${agent}, jsonb_object_agg(${columnNames(missionId, token)}) AS claims,
      sum(${tokens})::bigint AS ${tokens}
    FROM ${sql.identifier(from)} WHERE ${columnNames(agentId)} IS NOT NULL GROUP BY ${agent}
  ), spent AS (
    INSERT INTO ${agentTokens} AS t (${agent}, ${minute}, ${tokens})
    SELECT ${agent}, date_trunc('minute', ${now}), ${tokens} FROM ended
    WHERE ${tokens} > 0 ORDER BY ${agent}
    ON CONFLICT (${agent}, ${minute}) DO UPDATE
    SET ${tokens} = ${t.tokens} + ${namesIn("excluded", t.tokens)}
  ), left_by AS MATERIALIZED (
    SELECT ended.* FROM ended JOIN ${agentClaims} AS r ON ${isSameAgent("r", "ended")}
    ORDER BY ${namesIn("r", ...agentNames)} FOR UPDATE OF r
  ), left_places AS (
    UPDATE ${agentClaims} AS r SET ${columnNames(r.running)} = (
      SELECT coalesce(jsonb_object_agg(one.key, one.value), '{}') FROM jsonb_each(${r.running}) AS one
      WHERE left_by.claims->one.key IS DISTINCT FROM one.value->'token')
    FROM left_by WHERE ${isSameAgent("r", "left_by")}
  )`;
}
