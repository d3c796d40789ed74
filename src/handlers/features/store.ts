import { count, getTableName, type SQL, sql } from "drizzle-orm";
import { alias } from "drizzle-orm/pg-core";
import postgres from "postgres";
import type { Database } from "../../postgres/client.ts";
import {
  areAlike,
  columnNames,
  columnsOf,
  type Given,
  givenRows,
  type JsonRow,
  jsonRow,
  namesIn,
  takenFrom,
} from "../../postgres/columns.ts";
import { preparedRows, preparedStatement } from "../../postgres/rows.ts";
import { firstBy } from "../../runtime/grouping.ts";
import { featureEvents, userFeatures } from "../../schema/tables.ts";
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
  const readTogether = preparedRows<{ rows: StoredUser[]; applied: FoundProof[] }>(
    database,
    reading(),
  );
  const findUsers = preparedRows<{ row: StoredUser }>(database, finding());
  const writeTogether = preparedStatement<{ updated: number[]; inserted: number[] }>(writing());
  const removeOld = preparedRows(database, removing());

  return {
    async read(events) {
      const [found] = await readTogether({
        users: usersOf(firstBy(events, userKey)),
        proofs: JSON.stringify(events.map(toProof)),
      });
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
      const given = {
        changes: JSON.stringify(changes.map(toGiven)),
        proofs: JSON.stringify(
          changes.flatMap(({ events }, i) => events.map((event) => ({ i, ...toProof(event) }))),
        ),
      };
      const written = await database.run(async (statements) => {
        try {
          const [result] = await writeTogether(statements, given);
          if (result === undefined) throw new Error("writing features returned no row");
          return [...result.updated, ...result.inserted];
        } catch (error) {
          // Another replica has just applied one of the events: nothing of ours is written.
          if (isAppliedAlready(error)) return [];
          throw error;
        }
      });
      return new Set(written.flatMap((i) => changes[i] ?? []));
    },

    async find(users) {
      const rows = await findUsers({ users: usersOf(users) });
      return rows.map(({ row }) => toRow(row));
    },

    async countUsers() {
      const [found] = await database.run(async ({ db }) =>
        db.select({ users: count() }).from(userFeatures),
      );
      return found?.users ?? 0;
    },

    async removeProofs(before, most) {
      return (await removeOld({ before: before.toISOString(), most })).length;
    },
  };
}

const user = { tenantId: userFeatures.tenantId, userId: userFeatures.userId };
const userNames = columnsOf(user);

const folded = {
  features: userFeatures.features,
  version: userFeatures.version,
  lastEventAt: userFeatures.lastEventAt,
};

/** A user's row that is to be written, with its place among the changes. */
const change = { i: sql`int`, before: sql`bigint`, ...user, ...folded };

const proofKey = {
  tenantId: featureEvents.tenantId,
  userId: featureEvents.userId,
  eventId: featureEvents.eventId,
};
const proofNames = columnsOf(proofKey);
const proof = { ...proofKey, content: featureEvents.content };

const isUser = (row: string, other: string) => areAlike(row, other, ...userNames);

/** LATERAL with LIMIT is one index lookup for each, whatever the planner thinks of the tables. */
const askedUsers = () => sql`
  ${givenRows(sql.placeholder("users"), user)} AS asked
  CROSS JOIN LATERAL (
    SELECT * FROM ${userFeatures} AS one WHERE ${isUser("one", "asked")} LIMIT 1) AS stored`;

const storedUser = () => jsonRow(alias(userFeatures, "stored"));

function finding(): SQL {
  return sql`SELECT ${storedUser()} AS row FROM ${askedUsers()}`;
}

function reading(): SQL {
  const one = alias(featureEvents, "one");
  const of = (property: keyof typeof proof) => namesIn("asked", proof[property]);
  return sql`
    SELECT
      (SELECT coalesce(json_agg(${storedUser()}), '[]') FROM ${askedUsers()}) AS rows,
      (SELECT coalesce(json_agg(
          json_build_array(asked.i, ${namesIn("known", proof.content)} <> ${of("content")})), '[]')
        FROM ${givenRows(sql.placeholder("proofs"), proof, "i")} AS asked
        CROSS JOIN LATERAL (
          SELECT ${one.content} FROM ${featureEvents} AS one WHERE ${one.tenantId} = ${of("tenantId")}
            AND ${one.userId} IN (${of("userId")}, '') AND ${one.eventId} = ${of("eventId")} LIMIT 1) AS known
      ) AS applied`;
}

/**
 * One statement, so both or neither, in one round trip. Rows are locked, and then inserted, in the order
 * of their keys, and the proofs after them, so that two replicas wait for each other and never in a
 * circle; the columns of the last SELECT are evaluated from left to right.
 */
function writing(): SQL {
  const { version, updatedAt } = userFeatures;
  const key = columnNames(...userNames);
  const stored = namesIn("stored", ...userNames);
  const columns = columnNames(...columnsOf(change));
  const proofColumns = columnNames(...columnsOf(proof));
  return sql`
    WITH asked AS MATERIALIZED ${givenRows(sql.placeholder("changes"), change)}, locked AS MATERIALIZED (
      SELECT asked.i, ${stored}
      FROM asked JOIN ${userFeatures} AS stored ON ${isUser("stored", "asked")}
      WHERE ${namesIn("stored", version)} = asked.before
      ORDER BY ${stored} FOR UPDATE OF stored
    ), updated AS (
      UPDATE ${userFeatures} AS stored
      SET ${takenFrom("asked", ...columnsOf(folded))}, ${columnNames(updatedAt)} = now()
      FROM asked JOIN locked USING (i)
      WHERE ${isUser("stored", "locked")}
      RETURNING asked.i
    ), inserted AS (
      INSERT INTO ${userFeatures} (${columns})
      SELECT ${columns} FROM asked WHERE before = 0 ORDER BY ${key}
      ON CONFLICT DO NOTHING RETURNING ${key}
    ), made AS (
      SELECT asked.i FROM inserted JOIN asked USING (${key})
    ), proofs AS (
      INSERT INTO ${featureEvents} (${proofColumns})
      SELECT ${proofColumns} FROM ${givenRows(sql.placeholder("proofs"), { i: sql`int`, ...proof })} AS told
      WHERE i IN (SELECT i FROM updated UNION ALL SELECT i FROM made)
      ORDER BY ${columnNames(...proofNames)} RETURNING 1
    )
    SELECT
      (SELECT coalesce(jsonb_agg(i), '[]') FROM updated) AS updated,
      (SELECT coalesce(jsonb_agg(i), '[]') FROM made) AS inserted,
      (SELECT count(*)::int FROM proofs) AS proofs`;
}

function removing(): SQL {
  const names = columnNames(...proofNames);
  const appliedAt = columnNames(featureEvents.appliedAt);
  return sql`
    WITH old AS (
      SELECT ${names} FROM ${featureEvents}
      WHERE ${appliedAt} < ${sql.placeholder("before")}::timestamptz
      ORDER BY ${appliedAt} LIMIT ${sql.placeholder("most")} FOR UPDATE SKIP LOCKED
    )
    DELETE FROM ${featureEvents} AS known USING old
    WHERE ${areAlike("known", "old", ...proofNames)}
    RETURNING 1`;
}

function isAppliedAlready(error: unknown): boolean {
  const { PostgresError } = postgres;
  return (
    error instanceof PostgresError &&
    error.code === "23505" &&
    error.table_name === getTableName(featureEvents)
  );
}

function usersOf(users: readonly UserKey[]): string {
  return JSON.stringify(
    users.map(({ tenantId, userId }): Given<typeof user> => ({ tenantId, userId })),
  );
}

function toProof(event: UserEvent): Given<typeof proof> {
  const { tenantId, userId, eventId } = event;
  return { tenantId, userId, eventId, content: contentOf(event) };
}

/** The place of an event asked for, from 1; whether its content differs: null where the proof does not say. */
type FoundProof = readonly [i: number, differs: boolean | null];

function toGiven(
  { tenantId, userId, before, after }: FeatureChange,
  i: number,
): Given<typeof change> {
  const { features, version, lastEventAt } = after;
  return {
    ...{ i, before, tenantId, userId, features, version },
    lastEventAt: new Date(lastEventAt).toISOString(),
  };
}

type StoredUser = JsonRow<typeof userFeatures>;

function toRow(stored: StoredUser): FeatureRow {
  return {
    ...stored,
    updatedAt: Date.parse(stored.updatedAt),
    lastEventAt: Date.parse(stored.lastEventAt),
  };
}
