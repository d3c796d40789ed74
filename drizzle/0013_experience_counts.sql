CREATE TABLE "experience_agents" (
	"tenant_id" text NOT NULL,
	"agent_id" text NOT NULL,
	"first_at" timestamp with time zone NOT NULL,
	"last_at" timestamp with time zone NOT NULL,
	CONSTRAINT "experience_agents_tenant_id_agent_id_pk" PRIMARY KEY("tenant_id","agent_id")
);
--> statement-breakpoint
CREATE TABLE "experience_counts" (
	"tenant_id" text NOT NULL,
	"agent_id" text NOT NULL,
	"task_type" text NOT NULL,
	"step_seconds" integer NOT NULL,
	"starts_at" timestamp with time zone NOT NULL,
	"ok" integer NOT NULL,
	"error" integer NOT NULL,
	"silent" integer NOT NULL,
	"cancelled" integer NOT NULL,
	"slow" integer NOT NULL,
	"latency" integer[] NOT NULL,
	CONSTRAINT "experience_counts_pk" PRIMARY KEY("tenant_id","agent_id","task_type","step_seconds","starts_at")
);
--> statement-breakpoint
CREATE INDEX "experience_counts_tenant_idx" ON "experience_counts" USING btree ("tenant_id","step_seconds","starts_at");--> statement-breakpoint
CREATE INDEX "experience_counts_step_idx" ON "experience_counts" USING btree ("step_seconds","starts_at");