CREATE TABLE "lesson_erasures" (
	"lesson_key" text PRIMARY KEY NOT NULL,
	"erased_by" text NOT NULL,
	"reason" text NOT NULL,
	"erased_at" timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);
--> statement-breakpoint
CREATE INDEX "lesson_erasures_at_idx" ON "lesson_erasures" USING btree ("erased_at");--> statement-breakpoint
CREATE TRIGGER "append_only" BEFORE UPDATE OR DELETE OR TRUNCATE ON "lesson_erasures"
  FOR EACH STATEMENT EXECUTE FUNCTION "refuse_change"();
--> statement-breakpoint
-- An erased lesson is not learned again, whoever reads the stream, of whichever version. Each statement of a trigger sees
-- what was committed before it, also where the insert itself had begun before the erasure. It runs as its owner, so that
-- who may add lessons needs no right to read the erasures.
CREATE FUNCTION "leave_out_erased"() RETURNS trigger LANGUAGE plpgsql
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF EXISTS (SELECT FROM public.lesson_erasures AS erased WHERE erased.lesson_key = NEW.lesson_key) THEN
    RETURN NULL;
  END IF;
  RETURN NEW;
END
$$;
--> statement-breakpoint
CREATE TRIGGER "leave_out_erased" BEFORE INSERT ON "agent_lessons"
  FOR EACH ROW EXECUTE FUNCTION "leave_out_erased"();
--> statement-breakpoint
CREATE TRIGGER "leave_out_erased" BEFORE INSERT ON "lesson_sightings"
  FOR EACH ROW EXECUTE FUNCTION "leave_out_erased"();
