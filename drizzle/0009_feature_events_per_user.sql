-- By hand in this order: drizzle-kit puts the key before its column.
ALTER TABLE "feature_events" ADD COLUMN "user_id" text DEFAULT '' NOT NULL;--> statement-breakpoint
ALTER TABLE "feature_events" ADD COLUMN "content" text;--> statement-breakpoint
ALTER TABLE "feature_events" DROP CONSTRAINT "feature_events_tenant_id_event_id_pk";--> statement-breakpoint
ALTER TABLE "feature_events" ADD CONSTRAINT "feature_events_tenant_id_user_id_event_id_pk" PRIMARY KEY("tenant_id","user_id","event_id");
