DROP INDEX "memory_entries_created_idx";--> statement-breakpoint
DROP INDEX "memory_entries_tags_idx";--> statement-breakpoint
CREATE INDEX "memory_entries_place_idx" ON "memory_entries" USING gin ((ARRAY["tenant_id" || '/' || CASE WHEN "scope" = 'world' THEN '' ELSE coalesce("project_key", '') END]),"tags") WITH (fastupdate=false);