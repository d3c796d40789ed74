CREATE TABLE "run_windows" (
	"tenant_id" text NOT NULL,
	"agent_id" text NOT NULL,
	"task_type" text NOT NULL,
	"window_start" timestamp with time zone NOT NULL,
	"run_hashes" bigint[] NOT NULL,
	"single_events" integer NOT NULL,
	"counted_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "run_windows_tenant_id_agent_id_task_type_window_start_pk" PRIMARY KEY("tenant_id","agent_id","task_type","window_start")
);
--> statement-breakpoint
CREATE TABLE "signature_windows" (
	"lesson_key" text NOT NULL,
	"window_start" timestamp with time zone NOT NULL,
	"events" integer NOT NULL,
	"run_hashes" bigint[] NOT NULL,
	"single_events" integer NOT NULL,
	"runs_seen" integer NOT NULL,
	"agents" integer NOT NULL,
	"runs_recovered" integer NOT NULL,
	"between" jsonb NOT NULL,
	"unchanged_retries" integer NOT NULL,
	"next_steps" integer NOT NULL,
	"next_worked" integer NOT NULL,
	"first_at" timestamp with time zone NOT NULL,
	"last_at" timestamp with time zone NOT NULL,
	"counted_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "signature_windows_lesson_key_window_start_pk" PRIMARY KEY("lesson_key","window_start")
);
--> statement-breakpoint
CREATE TABLE "wide_evidence" (
	"evidence_key" text PRIMARY KEY NOT NULL,
	"evidence" jsonb NOT NULL,
	"version" bigint NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "window_marks" (
	"window_start" timestamp with time zone PRIMARY KEY NOT NULL,
	"touches" bigint NOT NULL,
	"counted" bigint DEFAULT 0 NOT NULL
);
--> statement-breakpoint
CREATE INDEX "run_windows_start_idx" ON "run_windows" USING btree ("window_start");--> statement-breakpoint
CREATE INDEX "run_windows_counted_idx" ON "run_windows" USING btree ("counted_at");--> statement-breakpoint
CREATE INDEX "signature_windows_start_idx" ON "signature_windows" USING btree ("window_start");--> statement-breakpoint
CREATE INDEX "signature_windows_counted_idx" ON "signature_windows" USING btree ("counted_at");--> statement-breakpoint
CREATE INDEX "wide_evidence_updated_idx" ON "wide_evidence" USING btree ("updated_at");--> statement-breakpoint
CREATE VIEW "public"."lesson_windows" AS (
  SELECT counted.lesson_key, counted.window_start, counted.events,
    cardinality(counted.run_hashes) + counted.single_events AS runs_failed,
    counted.runs_seen, counted.agents, counted.runs_recovered, counted."between", counted.unchanged_retries,
    counted.next_steps, counted.next_worked
  FROM signature_windows AS counted
  WHERE EXISTS (SELECT FROM agent_lessons WHERE agent_lessons.lesson_key = counted.lesson_key));