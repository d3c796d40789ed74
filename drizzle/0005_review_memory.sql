CREATE TABLE "memory_entries" (
	"tenant_id" text NOT NULL,
	"entry_id" text NOT NULL,
	"scope" text NOT NULL,
	"project_key" text,
	"tags" jsonb NOT NULL,
	"insight" text NOT NULL,
	"confidence" double precision NOT NULL,
	"status" text NOT NULL,
	"promotion_level" integer NOT NULL,
	"promotion_policy" jsonb,
	"evidence" jsonb,
	"unsupported_reason" text,
	"created_at" timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
	"last_seen_at" timestamp with time zone,
	"version" integer NOT NULL,
	CONSTRAINT "memory_entries_tenant_id_entry_id_pk" PRIMARY KEY("tenant_id","entry_id")
);
--> statement-breakpoint
CREATE TABLE "memory_feedback" (
	"tenant_id" text NOT NULL,
	"entry_id" text NOT NULL,
	"feedback_id" text NOT NULL,
	"positive" boolean NOT NULL,
	"at" timestamp with time zone NOT NULL,
	CONSTRAINT "memory_feedback_tenant_id_entry_id_feedback_id_pk" PRIMARY KEY("tenant_id","entry_id","feedback_id")
);
--> statement-breakpoint
CREATE TABLE "memory_promotions" (
	"promotion_id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "memory_promotions_promotion_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"tenant_id" text NOT NULL,
	"entry_id" text NOT NULL,
	"level" integer NOT NULL,
	"from_scope" text NOT NULL,
	"to_scope" text NOT NULL,
	"trigger" text NOT NULL,
	"reviewer" text,
	"eval_case_id" text,
	"at" timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "review_clock" (
	"id" smallint PRIMARY KEY NOT NULL,
	"last_at" timestamp with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "review_entries" (
	"entry_id" text PRIMARY KEY NOT NULL,
	"tenant_id" text NOT NULL,
	"feedback_id" text NOT NULL,
	"stage" text NOT NULL,
	"summary" text,
	"run_id" text,
	"case" jsonb,
	"skill_draft" jsonb,
	"reviewer" text,
	"lesson_key" text,
	"steps" integer NOT NULL,
	"created_at" timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "review_events" (
	"entry_id" text NOT NULL,
	"step" integer NOT NULL,
	"tenant_id" text NOT NULL,
	"what" text NOT NULL,
	"from_stage" text,
	"to_stage" text,
	"who" text,
	"reason" text,
	"case" jsonb,
	"skill_draft" jsonb,
	"at" timestamp with time zone NOT NULL,
	CONSTRAINT "review_events_entry_id_step_pk" PRIMARY KEY("entry_id","step")
);
--> statement-breakpoint
CREATE INDEX "memory_entries_created_idx" ON "memory_entries" USING btree ("tenant_id","created_at","entry_id");--> statement-breakpoint
CREATE INDEX "memory_entries_recall_idx" ON "memory_entries" USING btree ("tenant_id","scope","project_key");--> statement-breakpoint
CREATE INDEX "memory_entries_tags_idx" ON "memory_entries" USING gin ("tags");--> statement-breakpoint
CREATE INDEX "memory_promotions_entry_idx" ON "memory_promotions" USING btree ("tenant_id","entry_id","promotion_id");--> statement-breakpoint
CREATE UNIQUE INDEX "review_entries_updated_at_idx" ON "review_entries" USING btree ("updated_at");--> statement-breakpoint
CREATE INDEX "review_entries_stage_idx" ON "review_entries" USING btree ("stage","updated_at");--> statement-breakpoint
CREATE UNIQUE INDEX "review_events_at_idx" ON "review_events" USING btree ("at");--> statement-breakpoint
INSERT INTO "review_clock" ("id", "last_at") VALUES (1, 'epoch');
--> statement-breakpoint
-- Later than every time that it has given before, also where the server's clock was set back.
CREATE FUNCTION "review_tick"() RETURNS timestamptz LANGUAGE sql VOLATILE AS $$
  UPDATE "review_clock" SET "last_at" = GREATEST(clock_timestamp(), "last_at" + interval '1 microsecond')
  WHERE "id" = 1 RETURNING "last_at"
$$;
--> statement-breakpoint
-- Taken before any row, so that writers wait for one another and never in a circle.
CREATE FUNCTION "review_take_turn"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM FROM "review_clock" WHERE "id" = 1 FOR UPDATE;
  RETURN NULL;
END
$$;
--> statement-breakpoint
CREATE TRIGGER "take_turn" BEFORE INSERT OR UPDATE OR DELETE ON "review_entries"
  FOR EACH STATEMENT EXECUTE FUNCTION "review_take_turn"();
--> statement-breakpoint
CREATE FUNCTION "review_set_time"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW."updated_at" := "review_tick"();
  IF TG_OP = 'INSERT' THEN NEW."created_at" := NEW."updated_at"; END IF;
  RETURN NEW;
END
$$;
--> statement-breakpoint
CREATE TRIGGER "set_time" BEFORE INSERT OR UPDATE ON "review_entries"
  FOR EACH ROW EXECUTE FUNCTION "review_set_time"();
--> statement-breakpoint
CREATE TRIGGER "append_only" BEFORE UPDATE OR DELETE OR TRUNCATE ON "review_events"
  FOR EACH STATEMENT EXECUTE FUNCTION "refuse_change"();
--> statement-breakpoint
CREATE TRIGGER "append_only" BEFORE UPDATE OR DELETE OR TRUNCATE ON "memory_promotions"
  FOR EACH STATEMENT EXECUTE FUNCTION "refuse_change"();
