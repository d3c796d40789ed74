import { count } from "drizzle-orm";
import postgres from "postgres";
import type { Database } from "../../postgres/client.ts";
import { firstBy } from "../../runtime/grouping.ts";
import { userFeatures } from "../../schema/tables.ts";
import type { UserEvent } from "./event.ts";
import { contentOf, userKey } from "./fold.ts";
import type { FeatureChange, FeatureRow, FeatureStore, UserKey } from "./ports.ts";

/** The features' tables: the port of the core, and what endpoints and upkeep need. */
export interface Features extends FeatureStore {
  /** The rows of those of these users that have one, in no particular order. */
  find(users: readonly UserKey[]): Promise<FeatureRow[]>;
  countUsers(): Promise<number>;
  /** Removes at most `most` proofs from before `before`; resolves to how many. */
  removeProofs(before: Date, most: number): Promise<number>;
}

/** The database stays its opener's to close. */
export function openFeatures(database: Database): Features {
  return {
    async read(events) {
      const usersJson = usersOf(firstBy(events, userKey));
      const idsJson = JSON.stringify(events.map(toProof));
      const [found] = await database.run(
        // LATERAL with LIMIT is one index lookup for each, whatever the planner thinks of the tables.
        async ({ sql }) => sql<{ rows: StoredRow[]; applied: FoundProof[] }>`
          SELECT
            (SELECT coalesce(jsonb_agg(to_jsonb(stored)), '[]')
              FROM jsonb_to_recordset(${usersJson}::text::jsonb) AS asked (tenant_id text, user_id text)
              CROSS JOIN LATERAL (SELECT * FROM user_features AS one
                WHERE one.tenant_id = asked.tenant_id AND one.user_id = asked.user_id LIMIT 1) AS stored
            ) AS rows,
            (SELECT coalesce(jsonb_agg(jsonb_build_array(asked.i, proof.content <> asked.content)), '[]')
              FROM ROWS FROM (jsonb_to_recordset(${idsJson}::text::jsonb)
                AS (tenant_id text, user_id text, event_id text, content text))
                WITH ORDINALITY AS asked (tenant_id, user_id, event_id, content, i)
              CROSS JOIN LATERAL (SELECT one.content FROM feature_events AS one
                WHERE one.tenant_id = asked.tenant_id AND one.user_id IN (asked.user_id, '')
                  AND one.event_id = asked.event_id LIMIT 1) AS proof
            ) AS applied`,
      );
      if (found === undefined) throw new Error("reading features returned no row");
      const eventsWhere = (holds: (proof: FoundProof) => boolean) =>
        new Set(found.applied.filter(holds).flatMap(([i]) => events[i - 1] ?? []));
      return {
        rows: found.rows.map(toRow),
        applied: eventsWhere(() => true),
        conflicting: eventsWhere(([, differs]) => differs === true),
      };
    },

    async write(changes) {
      const rowsJson = JSON.stringify(changes.map(toColumns));
      const proofsJson = JSON.stringify(
        changes.flatMap(({ events }, i) => events.map((event) => ({ i, ...toProof(event) }))),
      );
      const written = await database.run(async ({ sql }) => {
        try {
          return await writeTogether(sql, rowsJson, proofsJson);
        } catch (error) {
          // Another replica has just applied one of the events: nothing of ours is written.
          if (isAppliedAlready(error)) return [];
          throw error;
        }
      });
      return new Set(written.flatMap((i) => changes[i] ?? []));
    },

    async find(users) {
      const rows = await database.run(
        async ({ sql }) => sql<{ row: StoredRow }>`
          SELECT to_jsonb(stored) AS row
          FROM jsonb_to_recordset(${usersOf(users)}::text::jsonb) AS asked (tenant_id text, user_id text)
          CROSS JOIN LATERAL (SELECT * FROM user_features AS one
            WHERE one.tenant_id = asked.tenant_id AND one.user_id = asked.user_id LIMIT 1) AS stored`,
      );
      return rows.map(({ row }) => toRow(row));
    },

    async countUsers() {
      const [found] = await database.run(async ({ db }) =>
        db.select({ users: count() }).from(userFeatures),
      );
      return found?.users ?? 0;
    },

    async removeProofs(before, most) {
      const removed = await database.run(
        async ({ sql }) => sql`
          WITH old AS (
            SELECT tenant_id, user_id, event_id FROM feature_events
            WHERE applied_at < ${before.toISOString()}::timestamptz
            ORDER BY applied_at LIMIT ${most} FOR UPDATE SKIP LOCKED
          )
          DELETE FROM feature_events USING old
          WHERE feature_events.tenant_id = old.tenant_id AND feature_events.user_id = old.user_id
            AND feature_events.event_id = old.event_id
          RETURNING 1`,
      );
      return removed.length;
    },
  };
}

/**
 * One statement, so both or neither, in one round trip. Rows are locked, and then inserted, in the order
 * of their keys, and the proofs after them, so that two replicas wait for each other and never in a
 * circle; the columns of the last SELECT are evaluated from left to right.
 */
async function writeTogether(
  sql: Parameters<Parameters<Database["run"]>[0]>[0]["sql"],
  rowsJson: string,
  proofsJson: string,
): Promise<readonly number[]> {
  const [result] = await sql<{ updated: number[]; inserted: number[]; proofs: number }>`
    WITH asked AS MATERIALIZED (
      SELECT * FROM jsonb_to_recordset(${rowsJson}::text::jsonb) AS asked (i int, tenant_id text,
        user_id text, features jsonb, before bigint, after bigint, last_event_at timestamptz)
    ), locked AS MATERIALIZED (
      SELECT asked.i, stored.tenant_id, stored.user_id
      FROM asked JOIN user_features AS stored
        ON stored.tenant_id = asked.tenant_id AND stored.user_id = asked.user_id
      WHERE stored.version = asked.before
      ORDER BY stored.tenant_id, stored.user_id FOR UPDATE OF stored
    ), updated AS (
      UPDATE user_features AS stored
      SET features = asked.features, version = asked.after, last_event_at = asked.last_event_at,
        updated_at = now()
      FROM asked JOIN locked USING (i)
      WHERE stored.tenant_id = locked.tenant_id AND stored.user_id = locked.user_id
      RETURNING asked.i
    ), inserted AS (
      INSERT INTO user_features (tenant_id, user_id, features, version, last_event_at)
      SELECT tenant_id, user_id, features, after, last_event_at FROM asked
      WHERE before = 0 ORDER BY tenant_id, user_id
      ON CONFLICT DO NOTHING RETURNING tenant_id, user_id
    ), made AS (
      SELECT asked.i FROM inserted JOIN asked USING (tenant_id, user_id)
    ), proofs AS (
      INSERT INTO feature_events (tenant_id, user_id, event_id, content)
      SELECT tenant_id, user_id, event_id, content
      FROM jsonb_to_recordset(${proofsJson}::text::jsonb)
        AS proof (i int, tenant_id text, user_id text, event_id text, content text)
      WHERE i IN (SELECT i FROM updated UNION ALL SELECT i FROM made)
      ORDER BY tenant_id, user_id, event_id RETURNING 1
    )
    SELECT
      (SELECT coalesce(jsonb_agg(i), '[]') FROM updated) AS updated,
      (SELECT coalesce(jsonb_agg(i), '[]') FROM made) AS inserted,
      (SELECT count(*)::int FROM proofs) AS proofs`;
  if (result === undefined) throw new Error("writing features returned no row");
  return [...result.updated, ...result.inserted];
}

function isAppliedAlready(error: unknown): boolean {
  const { PostgresError } = postgres;
  return (
    error instanceof PostgresError &&
    error.code === "23505" &&
    error.table_name === "feature_events"
  );
}

function usersOf(users: readonly UserKey[]): string {
  return JSON.stringify(
    users.map(({ tenantId, userId }) => ({ tenant_id: tenantId, user_id: userId })),
  );
}

function toProof(event: UserEvent) {
  const { tenantId, userId, eventId } = event;
  return { tenant_id: tenantId, user_id: userId, event_id: eventId, content: contentOf(event) };
}

/** The place of an event asked for, from 1; whether its content differs: null where the proof does not say. */
type FoundProof = readonly [i: number, differs: boolean | null];

function toColumns({ tenantId, userId, before, after }: FeatureChange, i: number) {
  return {
    i,
    tenant_id: tenantId,
    user_id: userId,
    features: after.features,
    before,
    after: after.version,
    last_event_at: new Date(after.lastEventAt).toISOString(),
  };
}

/** A row as `to_jsonb` gives it. */
interface StoredRow {
  readonly tenant_id: string;
  readonly user_id: string;
  readonly features: Record<string, object>;
  readonly version: number;
  readonly updated_at: string;
  readonly last_event_at: string;
}

function toRow(stored: StoredRow): FeatureRow {
  return {
    tenantId: stored.tenant_id,
    userId: stored.user_id,
    features: stored.features,
    version: stored.version,
    updatedAt: Date.parse(stored.updated_at),
    lastEventAt: Date.parse(stored.last_event_at),
  };
}
