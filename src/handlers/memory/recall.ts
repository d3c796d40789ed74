import { type SQL, sql } from "drizzle-orm";
import { alias } from "drizzle-orm/pg-core";
import type { Database } from "../../postgres/client.ts";
import { epochMs, type Given, givenRows } from "../../postgres/columns.ts";
import { preparedRows } from "../../postgres/rows.ts";
import { gathered } from "../../runtime/gathered.ts";
import { memoryPlace } from "../../schema/memory.ts";
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

/** A question with its place among those that are answered together. */
const askedFields = {
  i: sql`int`,
  tenantId: of.tenantId,
  scope: of.scope,
  projectKey: of.projectKey,
  tags: sql`text[]`,
  topK: sql`int`,
};
const asked = alias(of, "asked");

/** As it counts now: see `effectiveStatus`. */
const counted = sql`CASE WHEN ${of.status} = 'provisional'
  AND ${of.createdAt} <= now() - interval '1 day' THEN 'confirmed' ELSE ${of.status} END`;
const weight = sql`CASE ${counted} ${sql.join(
  Object.entries(weights).map(([status, one]) => sql.raw(`WHEN '${status}' THEN ${one}::float8`)),
  sql` `,
)} ELSE 0::float8 END`;

/** Recalls of one shape that are under way at the same time, and questions of one statement. */
const atOnce = 2;
const mostTogether = 256;

/**
 * `database` is one whose transactions are read-only: a recall that writes is refused by PostgreSQL. Questions that come
 * while others are being answered are answered together.
 */
export function openRecall(database: Database): Recall {
  const byShape = new Map<string, (question: Question) => Promise<Recalled[]>>();

  function ofShape(shape: Shape): (question: Question) => Promise<Recalled[]> {
    const key = JSON.stringify(shape);
    const known = byShape.get(key);
    if (known !== undefined) return known;
    const rows = preparedRows<FoundRow>(database, recalling(shape));
    const made = gathered<Question, Recalled[]>(
      async (questions) => {
        const answers = questions.map((): Recalled[] => []);
        const found = await rows({ asked: JSON.stringify(questions.map(toAsked)) });
        for (const { i, score, now, ...entry } of found) answers[i]?.push({ entry, score, now });
        return answers;
      },
      { atOnce, mostTogether },
    );
    byShape.set(key, made);
    return made;
  }

  return { recall: (question) => ofShape(shapeOf(question))(question) };
}

/** What a question asks for decides which indexes help: each shape has a statement of its own. */
interface Shape {
  readonly scope: boolean;
  readonly project: boolean;
  readonly tags: boolean;
}

function shapeOf({ scope, projectKey, tags }: Question): Shape {
  return { scope: scope !== undefined, project: projectKey !== undefined, tags: tags.length > 0 };
}

function toAsked(question: Question, i: number): Given<typeof askedFields> {
  const { tenantId, scope, projectKey, tags, topK } = question;
  return { i, tenantId, scope, projectKey, tags: [...new Set(tags)], topK };
}

type FoundRow = MemoryEntry & {
  /** Of the question. */
  readonly i: number;
  readonly score: number;
  readonly now: number;
};

function recalling(shape: Shape): SQL {
  const conditions = [
    sql`${of.tenantId} = ${asked.tenantId}`,
    sql`${of.unsupportedReason} IS NULL`,
    sql`${of.status} <> 'rejected'`,
    ...(shape.scope ? [sql`${of.scope} = ${asked.scope}`] : []),
    ...placeOf(shape),
    shape.tags ? sql`${of.tags} ?| asked.tags` : sql`${of.confidence} > 0`,
  ];
  const score = sql`${shape.tags ? shareOfTags : of.confidence} * (${weight})`;
  const fields = Object.entries(memoryFields).map(
    ([name, field]) => sql`${field} AS ${sql.identifier(name)}`,
  );
  return sql`
    SELECT asked.i, found.* FROM ${givenRows(sql.placeholder("asked"), askedFields)} AS asked
    CROSS JOIN LATERAL (
      SELECT ${sql.join(fields, sql`, `)}, ${score} AS score, ${epochMs(sql`now()`)} AS now
      FROM ${of} WHERE ${sql.join(conditions, sql` AND `)}
      -- Over all scripts alike, whatever the database's collation.
      ORDER BY score DESC, ${of.entryId} COLLATE "C" LIMIT asked."topK"
    ) AS found ORDER BY asked.i, found.score DESC, found."entryId" COLLATE "C"`;
}

/**
 * Entries of the world that were promoted from a project are the world's. With tags one index has both; the condition
 * beside it is written so that no other index answers it, too.
 */
function placeOf({ project, tags }: Shape): SQL[] {
  if (!project) return [];
  if (!tags) {
    return [
      sql`(${of.scope} = 'project' AND ${of.projectKey} = ${asked.projectKey} OR ${of.scope} = 'world')`,
    ];
  }
  return [
    sql`${memoryPlace(of)} && ARRAY[${asked.tenantId} || '/', ${asked.tenantId} || '/' || ${asked.projectKey}]`,
    sql`(${of.scope} = 'world' OR coalesce(${of.projectKey}, '') = ${asked.projectKey})`,
  ];
}

const shareOfTags = sql`(SELECT count(*) FROM unnest(asked.tags) AS one (tag) WHERE ${of.tags} ? one.tag)::float8
  / cardinality(asked.tags)`;
