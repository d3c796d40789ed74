CREATE TABLE "agent_lessons" (
	"lesson_id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"lesson_key" text NOT NULL,
	"ts" timestamp with time zone DEFAULT now() NOT NULL,
	"tenant_id" text NOT NULL,
	"scope" text NOT NULL,
	"agent_id" text NOT NULL,
	"task_type" text NOT NULL,
	"lesson_type" text NOT NULL,
	"trigger" text NOT NULL,
	"action" text NOT NULL,
	"avoid" text NOT NULL,
	"signals" jsonb NOT NULL,
	"evidence" jsonb NOT NULL,
	"raw" jsonb NOT NULL,
	"expires_at" timestamp with time zone,
	CONSTRAINT "agent_lessons_lesson_key_unique" UNIQUE("lesson_key")
);
--> statement-breakpoint
CREATE TABLE "lesson_outbox" (
	"lesson_key" text PRIMARY KEY NOT NULL,
	"ts" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "lesson_sightings" (
	"lesson_key" text NOT NULL,
	"window_start" timestamp with time zone NOT NULL,
	"ts" timestamp with time zone DEFAULT now() NOT NULL,
	"evidence" jsonb NOT NULL,
	CONSTRAINT "lesson_sightings_lesson_key_window_start_pk" PRIMARY KEY("lesson_key","window_start")
);
--> statement-breakpoint
CREATE INDEX "agent_lessons_agent_idx" ON "agent_lessons" USING btree ("tenant_id","agent_id","task_type","ts");--> statement-breakpoint
CREATE INDEX "agent_lessons_ts_idx" ON "agent_lessons" USING btree ("ts");