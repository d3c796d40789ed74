import { sql } from "drizzle-orm";
import type { Database } from "../../postgres/client.ts";
import { openOverview } from "./overview.ts";
import { sentenceOf } from "./sentences.ts";

const tables = ["lesson_effects", "lesson_epochs"] as const;

/**
 * What is known of a lesson's effect in words, for readers of the tables; null: this user may not read them, or this database
 * has none of them yet. Rejects as `Database.run` does.
 */
export async function effectSentence(
  database: Database,
  lessonKey: string,
): Promise<string | null> {
  const [row] = await database.run(async ({ db }) =>
    db.execute<{ readable: boolean }>(sql`
      SELECT bool_and(coalesce(has_table_privilege(to_regclass('public.' || name), 'SELECT'), false)) AS readable
      FROM jsonb_array_elements_text(${JSON.stringify(tables)}::text::jsonb) AS tables (name)`),
  );
  if (row?.readable !== true) return null;
  const [known] = await openOverview(database).find(lessonKey);
  if (known === undefined || known.evaluatedAt === null) return null;
  return sentenceOf(known.effect, known);
}
