CREATE TABLE "lesson_decisions" (
	"decision_id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "lesson_decisions_decision_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"tenant_id" text NOT NULL,
	"lesson_key" text NOT NULL,
	"action" text NOT NULL,
	"until" timestamp with time zone,
	"decided_by" text NOT NULL,
	"reason" text NOT NULL,
	"at" timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "lesson_epochs" (
	"tenant_id" text NOT NULL,
	"lesson_key" text NOT NULL,
	"epoch" integer NOT NULL,
	"share" double precision NOT NULL,
	"state" text NOT NULL,
	"verdict" text NOT NULL,
	"benefit" double precision,
	"reason" text NOT NULL,
	"figures" jsonb,
	"at" timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
	CONSTRAINT "lesson_epochs_lesson_key_epoch_pk" PRIMARY KEY("lesson_key","epoch")
);
--> statement-breakpoint
CREATE TABLE "lesson_exposures" (
	"tenant_id" text NOT NULL,
	"run_id" text NOT NULL,
	"lesson_key" text NOT NULL,
	"agent_id" text NOT NULL,
	"epoch" integer NOT NULL,
	"share" double precision NOT NULL,
	"attached" boolean NOT NULL,
	"exposed_at" timestamp with time zone NOT NULL,
	CONSTRAINT "lesson_exposures_tenant_id_run_id_lesson_key_pk" PRIMARY KEY("tenant_id","run_id","lesson_key")
);
--> statement-breakpoint
CREATE TABLE "lesson_omissions" (
	"tenant_id" text NOT NULL,
	"run_id" text NOT NULL,
	"lesson_key" text NOT NULL,
	"why" text NOT NULL,
	"omitted_at" timestamp with time zone NOT NULL,
	CONSTRAINT "lesson_omissions_tenant_id_run_id_lesson_key_pk" PRIMARY KEY("tenant_id","run_id","lesson_key")
);
--> statement-breakpoint
CREATE TABLE "run_outcomes" (
	"outcome_id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "run_outcomes_outcome_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"tenant_id" text NOT NULL,
	"run_id" text NOT NULL,
	"success" boolean,
	"score" double precision,
	"at" timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);
--> statement-breakpoint
CREATE INDEX "lesson_decisions_lesson_idx" ON "lesson_decisions" USING btree ("lesson_key","decision_id");--> statement-breakpoint
CREATE INDEX "lesson_decisions_at_idx" ON "lesson_decisions" USING btree ("at");--> statement-breakpoint
CREATE INDEX "lesson_epochs_at_idx" ON "lesson_epochs" USING btree ("at");--> statement-breakpoint
CREATE INDEX "lesson_exposures_at_idx" ON "lesson_exposures" USING btree ("exposed_at");--> statement-breakpoint
CREATE INDEX "lesson_exposures_lesson_idx" ON "lesson_exposures" USING btree ("lesson_key","epoch");--> statement-breakpoint
CREATE INDEX "run_outcomes_run_idx" ON "run_outcomes" USING btree ("tenant_id","run_id","outcome_id");--> statement-breakpoint
CREATE INDEX "lesson_sightings_ts_idx" ON "lesson_sightings" USING btree ("ts");--> statement-breakpoint
CREATE TRIGGER "append_only" BEFORE UPDATE OR DELETE OR TRUNCATE ON "lesson_exposures"
  FOR EACH STATEMENT EXECUTE FUNCTION "refuse_change"();
--> statement-breakpoint
CREATE TRIGGER "append_only" BEFORE UPDATE OR DELETE OR TRUNCATE ON "lesson_omissions"
  FOR EACH STATEMENT EXECUTE FUNCTION "refuse_change"();
--> statement-breakpoint
CREATE TRIGGER "append_only" BEFORE UPDATE OR DELETE OR TRUNCATE ON "lesson_decisions"
  FOR EACH STATEMENT EXECUTE FUNCTION "refuse_change"();
--> statement-breakpoint
CREATE TRIGGER "append_only" BEFORE UPDATE OR DELETE OR TRUNCATE ON "lesson_epochs"
  FOR EACH STATEMENT EXECUTE FUNCTION "refuse_change"();
--> statement-breakpoint
CREATE TRIGGER "append_only" BEFORE UPDATE OR DELETE OR TRUNCATE ON "run_outcomes"
  FOR EACH STATEMENT EXECUTE FUNCTION "refuse_change"();
