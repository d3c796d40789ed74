CREATE TABLE "effect_checks" (
	"tenant_id" text NOT NULL,
	"check_name" text NOT NULL,
	"log_e" double precision NOT NULL,
	"broken" boolean NOT NULL,
	"lessons" integer NOT NULL,
	"at" timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
	CONSTRAINT "effect_checks_tenant_id_check_name_pk" PRIMARY KEY("tenant_id","check_name")
);
--> statement-breakpoint
CREATE TABLE "lesson_effects" (
	"lesson_key" text PRIMARY KEY NOT NULL,
	"tenant_id" text NOT NULL,
	"effect" jsonb NOT NULL,
	"verdict" text DEFAULT 'insufficient_data' NOT NULL,
	"withheld" text,
	"previous" text DEFAULT 'insufficient_data' NOT NULL,
	"revision" integer DEFAULT 0 NOT NULL,
	"published" integer DEFAULT 0 NOT NULL,
	"changed_at" timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
	"evaluated_at" timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "lesson_outcomes" (
	"tenant_id" text NOT NULL,
	"run_id" text NOT NULL,
	"lesson_key" text NOT NULL,
	"epoch" integer NOT NULL,
	"share" double precision NOT NULL,
	"attached" boolean NOT NULL,
	"exposed_at" timestamp with time zone NOT NULL,
	"recurred" boolean NOT NULL,
	"seen" boolean NOT NULL,
	"succeeded" boolean,
	"settled_at" timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
	CONSTRAINT "lesson_outcomes_tenant_id_run_id_lesson_key_pk" PRIMARY KEY("tenant_id","run_id","lesson_key")
);
--> statement-breakpoint
CREATE TABLE "lesson_recurrences" (
	"tenant_id" text NOT NULL,
	"run_id" text NOT NULL,
	"lesson_key" text NOT NULL,
	"period_start" timestamp with time zone NOT NULL,
	"first_at" timestamp with time zone NOT NULL,
	"last_at" timestamp with time zone NOT NULL,
	CONSTRAINT "lesson_recurrences_tenant_id_run_id_lesson_key_period_start_pk" PRIMARY KEY("tenant_id","run_id","lesson_key","period_start")
);
--> statement-breakpoint
CREATE TABLE "outcome_watermarks" (
	"name" text PRIMARY KEY NOT NULL,
	"at" timestamp with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "run_activity" (
	"tenant_id" text NOT NULL,
	"run_id" text NOT NULL,
	"period_start" timestamp with time zone NOT NULL,
	"first_at" timestamp with time zone NOT NULL,
	"last_at" timestamp with time zone NOT NULL,
	CONSTRAINT "run_activity_tenant_id_run_id_period_start_pk" PRIMARY KEY("tenant_id","run_id","period_start")
);
--> statement-breakpoint
CREATE INDEX "lesson_effects_tenant_idx" ON "lesson_effects" USING btree ("tenant_id","lesson_key");--> statement-breakpoint
CREATE INDEX "lesson_outcomes_lesson_idx" ON "lesson_outcomes" USING btree ("lesson_key","epoch","share","attached","recurred","seen","succeeded");--> statement-breakpoint
CREATE INDEX "lesson_recurrences_period_idx" ON "lesson_recurrences" USING btree ("period_start");--> statement-breakpoint
CREATE INDEX "run_activity_period_idx" ON "run_activity" USING btree ("period_start");--> statement-breakpoint
CREATE TRIGGER "append_only" BEFORE UPDATE OR DELETE OR TRUNCATE ON "lesson_outcomes"
  FOR EACH STATEMENT EXECUTE FUNCTION "refuse_change"();
