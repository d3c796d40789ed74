CREATE TABLE "experience_agent_counts" (
	"tenant_id" text NOT NULL,
	"step_seconds" integer NOT NULL,
	"starts_at" timestamp with time zone NOT NULL,
	"agent_id" text NOT NULL,
	"ok" integer NOT NULL,
	"error" integer NOT NULL,
	"silent" integer NOT NULL,
	"cancelled" integer NOT NULL,
	"slow" integer NOT NULL,
	"latency" integer[] NOT NULL,
	CONSTRAINT "experience_agent_counts_pk" PRIMARY KEY("tenant_id","step_seconds","starts_at","agent_id")
);
--> statement-breakpoint
CREATE TABLE "lesson_ranks" (
	"lesson_key" text PRIMARY KEY NOT NULL,
	"tenant_id" text,
	"learned_at" timestamp with time zone,
	"told" integer,
	"counted" integer,
	"runs" integer GENERATED ALWAYS AS (coalesce(counted, told, 0)) STORED NOT NULL,
	"touches" bigint DEFAULT 0 NOT NULL,
	"ranked" bigint DEFAULT 0 NOT NULL
);
--> statement-breakpoint
CREATE INDEX "experience_agent_counts_step_idx" ON "experience_agent_counts" USING btree ("step_seconds","starts_at");--> statement-breakpoint
CREATE INDEX "lesson_ranks_order_idx" ON "lesson_ranks" USING btree ("tenant_id","runs","learned_at","lesson_key");--> statement-breakpoint
CREATE INDEX "lesson_ranks_due_idx" ON "lesson_ranks" USING btree ("lesson_key") WHERE touches > ranked AND tenant_id IS NOT NULL;--> statement-breakpoint
CREATE INDEX "agent_lessons_newest_idx" ON "agent_lessons" USING btree ("tenant_id","ts","lesson_id");--> statement-breakpoint
CREATE INDEX "agent_lessons_type_idx" ON "agent_lessons" USING btree ("tenant_id","lesson_type","ts","lesson_id");--> statement-breakpoint
CREATE INDEX "agent_lessons_scope_idx" ON "agent_lessons" USING btree ("tenant_id","scope","ts","lesson_id");--> statement-breakpoint
-- A search looks for a part of a text. Where this extension is not there, or may not be created, it reads them all.
DO $$
BEGIN
  CREATE EXTENSION IF NOT EXISTS pg_trgm;
  CREATE INDEX "agent_lessons_trigger_idx" ON "agent_lessons" USING gin ("trigger" gin_trgm_ops);
EXCEPTION WHEN insufficient_privilege OR undefined_file OR undefined_object OR feature_not_supported THEN
  RAISE NOTICE 'searching the texts of lessons reads them all: %', SQLERRM;
END
$$;
--> statement-breakpoint
-- What was counted so far, in the steps of agents; whatever is added from now on is added to both tables.
INSERT INTO "experience_agent_counts" (tenant_id, step_seconds, starts_at, agent_id, ok, error, silent, cancelled, slow, latency)
SELECT tenant_id, step, to_timestamp(floor(extract(epoch FROM starts_at) / step) * step), agent_id,
  sum(ok), sum(error), sum(silent), sum(cancelled), sum(slow), ARRAY[
    sum(latency[1]), sum(latency[2]), sum(latency[3]), sum(latency[4]), sum(latency[5]), sum(latency[6]), sum(latency[7]),
    sum(latency[8]), sum(latency[9]), sum(latency[10]), sum(latency[11]), sum(latency[12]), sum(latency[13]), sum(latency[14])]
FROM "experience_counts"
JOIN (VALUES (60, 300), (3600, 3600), (3600, 21600), (86400, 86400), (86400, 2419200)) AS steps (step_seconds, step)
  USING (step_seconds)
WHERE agent_id <> ''
GROUP BY 1, 2, 3, 4;
--> statement-breakpoint
-- The following run as their owner, so that who may add lessons or windows needs no right on the ranks. A failure has its
-- mark before the windows of it can be seen: the two ways in which both come to be wait for each other by its key.
CREATE FUNCTION "rank_lesson"() RETURNS trigger LANGUAGE plpgsql
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN
    DELETE FROM public.lesson_ranks AS known WHERE known.lesson_key = OLD.lesson_key;
    RETURN NULL;
  END IF;
  INSERT INTO public.lesson_ranks AS known (lesson_key, tenant_id, learned_at, told)
  VALUES (NEW.lesson_key, NEW.tenant_id, NEW.ts, CASE WHEN jsonb_typeof(NEW.evidence->'count') = 'number'
    THEN least(round((NEW.evidence->>'count')::numeric), 2147483647)::int END)
  ON CONFLICT (lesson_key) DO UPDATE SET tenant_id = excluded.tenant_id, learned_at = excluded.learned_at,
    told = excluded.told, touches = known.touches + 1;
  RETURN NULL;
END
$$;
--> statement-breakpoint
CREATE TRIGGER "rank_lesson" AFTER INSERT OR DELETE ON "agent_lessons"
  FOR EACH ROW EXECUTE FUNCTION "rank_lesson"();
--> statement-breakpoint
CREATE FUNCTION "touch_rank"() RETURNS trigger LANGUAGE plpgsql
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  INSERT INTO public.lesson_ranks AS known (lesson_key, touches)
  SELECT DISTINCT changed.lesson_key, 1 FROM changed ORDER BY changed.lesson_key
  ON CONFLICT (lesson_key) DO UPDATE SET touches = known.touches + 1;
  RETURN NULL;
END
$$;
--> statement-breakpoint
CREATE TRIGGER "touch_rank_inserted" AFTER INSERT ON "signature_windows"
  REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION "touch_rank"();
--> statement-breakpoint
CREATE TRIGGER "touch_rank_updated" AFTER UPDATE ON "signature_windows"
  REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION "touch_rank"();
--> statement-breakpoint
CREATE TRIGGER "touch_rank_deleted" AFTER DELETE ON "signature_windows"
  REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION "touch_rank"();
--> statement-breakpoint
INSERT INTO "lesson_ranks" (lesson_key, tenant_id, learned_at, told, touches)
SELECT lesson.lesson_key, lesson.tenant_id, lesson.ts, CASE WHEN jsonb_typeof(lesson.evidence->'count') = 'number'
    THEN least(round((lesson.evidence->>'count')::numeric), 2147483647)::int END,
  CASE WHEN EXISTS (SELECT FROM "signature_windows" AS counted WHERE counted.lesson_key = lesson.lesson_key) THEN 1 ELSE 0 END
FROM "agent_lessons" AS lesson ON CONFLICT DO NOTHING;
--> statement-breakpoint
INSERT INTO "lesson_ranks" (lesson_key, touches)
SELECT DISTINCT lesson_key, 1 FROM "signature_windows" ON CONFLICT DO NOTHING;
