import { type SQL, sql } from "drizzle-orm";
import type { Database } from "../../postgres/client.ts";
import { epochMs } from "../../postgres/columns.ts";
import { memoryEntries } from "../../schema/tables.ts";
import type { MemoryEntry } from "./entry.ts";
import type { Scope } from "./promotion.ts";
import { weights } from "./recall-score.ts";
import { memoryFields } from "./store.ts";

export interface Question {
  readonly tenantId: string;
  readonly scope?: Scope;
  /** Entries of that project, and of the world unless `scope` says otherwise. */
  readonly projectKey?: string;
  readonly tags: readonly string[];
  readonly topK: number;
}

export interface Recalled {
  readonly entry: MemoryEntry;
  readonly score: number;
  /** Epoch ms by the database's clock. */
  readonly now: number;
}

export interface Recall {
  /** As `recalled` of the pure rules decides. Rejects as `Database.run` does. */
  recall(question: Question): Promise<Recalled[]>;
}

const of = memoryEntries;

/** As it counts now: see `effectiveStatus`. */
const counted = sql`CASE WHEN ${of.status} = 'provisional'
  AND ${of.createdAt} <= now() - interval '1 day' THEN 'confirmed' ELSE ${of.status} END`;
const weight = sql`CASE ${counted} ${sql.join(
  Object.entries(weights).map(([status, one]) => sql.raw(`WHEN '${status}' THEN ${one}::float8`)),
  sql` `,
)} ELSE 0::float8 END`;

/** `database` is one whose transactions are read-only: a recall that writes is refused by PostgreSQL. */
export function openRecall(database: Database): Recall {
  return {
    async recall({ tenantId, scope, projectKey, tags, topK }) {
      const asked = [...new Set(tags)];
      const conditions = [sql`${of.tenantId} = ${tenantId}`, sql`${of.unsupportedReason} IS NULL`];
      conditions.push(sql`${of.status} <> 'rejected'`);
      if (scope !== undefined) conditions.push(sql`${of.scope} = ${scope}`);
      if (projectKey !== undefined) conditions.push(ofProject(projectKey));
      const { share, matches } = tagsOf(asked);
      conditions.push(matches);
      const score = sql<number>`${share} * (${weight})`;
      const rows = await database.run(async ({ db }) =>
        db
          .select({ ...memoryFields, score, now: epochMs(sql`now()`) })
          .from(of)
          .where(sql.join(conditions, sql` AND `))
          // Over all scripts alike, whatever the database's collation.
          .orderBy(sql`${score} DESC, ${of.entryId} COLLATE "C"`)
          .limit(topK),
      );
      return rows.map(({ score: own, now, ...entry }) => ({ entry, score: own, now }));
    },
  };
}

function ofProject(projectKey: string): SQL {
  return sql`(${of.projectKey} = ${projectKey} OR ${of.scope} = 'world')`;
}

function tagsOf(asked: readonly string[]): { share: SQL; matches: SQL } {
  if (asked.length === 0)
    return { share: sql`${of.confidence}`, matches: sql`${of.confidence} > 0` };
  const list = sql`ARRAY(SELECT jsonb_array_elements_text(${JSON.stringify(asked)}::text::jsonb))`;
  const matching = sql`(SELECT count(DISTINCT tag) FROM jsonb_array_elements_text(${of.tags}) AS own (tag)
    WHERE own.tag = ANY (${list}))`;
  return {
    share: sql`${matching}::float8 / ${asked.length}::float8`,
    matches: sql`${of.tags} ?| ${list}`,
  };
}
