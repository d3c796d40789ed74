ALTER TABLE "review_events" DROP CONSTRAINT "review_events_entry_id_step_pk";--> statement-breakpoint
ALTER TABLE "review_entries" DROP CONSTRAINT "review_entries_pkey";--> statement-breakpoint
ALTER TABLE "review_entries" ADD CONSTRAINT "review_entries_tenant_id_entry_id_pk" PRIMARY KEY("tenant_id","entry_id");--> statement-breakpoint
ALTER TABLE "review_events" ADD CONSTRAINT "review_events_tenant_id_entry_id_step_pk" PRIMARY KEY("tenant_id","entry_id","step");--> statement-breakpoint
CREATE INDEX "review_entries_entry_id_idx" ON "review_entries" USING btree ("entry_id");
