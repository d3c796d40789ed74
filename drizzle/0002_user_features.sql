CREATE TABLE "feature_events" (
	"tenant_id" text NOT NULL,
	"event_id" text NOT NULL,
	"applied_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "feature_events_tenant_id_event_id_pk" PRIMARY KEY("tenant_id","event_id")
);
--> statement-breakpoint
CREATE TABLE "user_features" (
	"tenant_id" text NOT NULL,
	"user_id" text NOT NULL,
	"features" jsonb NOT NULL,
	"version" bigint NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	"last_event_at" timestamp with time zone NOT NULL,
	CONSTRAINT "user_features_tenant_id_user_id_pk" PRIMARY KEY("tenant_id","user_id")
);
--> statement-breakpoint
CREATE INDEX "feature_events_applied_at_idx" ON "feature_events" USING btree ("applied_at");