CREATE TABLE "agent_events" (
	"tenant_id" text NOT NULL,
	"run_id" text NOT NULL,
	"cursor" bigint NOT NULL,
	"event_type" text NOT NULL,
	"payload" jsonb NOT NULL,
	"created_at" timestamp with time zone NOT NULL,
	"event_id" text NOT NULL,
	CONSTRAINT "agent_events_tenant_id_run_id_cursor_pk" PRIMARY KEY("tenant_id","run_id","cursor")
);
--> statement-breakpoint
CREATE TABLE "agent_runs" (
	"tenant_id" text NOT NULL,
	"run_id" text NOT NULL,
	"agent_id" text,
	"session_id" text,
	"status" text NOT NULL,
	"question" text,
	"started_at" timestamp with time zone NOT NULL,
	"completed_at" timestamp with time zone,
	"heartbeat_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	"error" jsonb,
	"cursor_mode" text NOT NULL,
	"last_cursor" bigint NOT NULL,
	"version" bigint NOT NULL,
	CONSTRAINT "agent_runs_tenant_id_run_id_pk" PRIMARY KEY("tenant_id","run_id")
);
--> statement-breakpoint
CREATE TABLE "leases" (
	"name" text PRIMARY KEY NOT NULL,
	"holder" text NOT NULL,
	"expires_at" timestamp with time zone NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX "agent_events_event_id_idx" ON "agent_events" USING btree ("tenant_id","run_id","event_id");--> statement-breakpoint
CREATE INDEX "agent_runs_started_idx" ON "agent_runs" USING btree ("tenant_id","started_at","run_id");--> statement-breakpoint
CREATE INDEX "agent_runs_agent_idx" ON "agent_runs" USING btree ("tenant_id","agent_id","started_at","run_id");--> statement-breakpoint
CREATE INDEX "agent_runs_completed_idx" ON "agent_runs" USING btree ("completed_at");--> statement-breakpoint
CREATE INDEX "agent_runs_live_idx" ON "agent_runs" USING btree ("tenant_id","run_id") WHERE "agent_runs"."completed_at" IS NULL;