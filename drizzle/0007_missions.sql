CREATE TABLE "agent_claims" (
	"tenant_id" text NOT NULL,
	"user_id" text NOT NULL,
	"agent_id" text NOT NULL,
	"running" jsonb NOT NULL,
	CONSTRAINT "agent_claims_tenant_id_user_id_agent_id_pk" PRIMARY KEY("tenant_id","user_id","agent_id")
);
--> statement-breakpoint
CREATE TABLE "agent_snapshots" (
	"tenant_id" text NOT NULL,
	"user_id" text NOT NULL,
	"record_id" text NOT NULL,
	"record" jsonb NOT NULL,
	"field_meta" jsonb NOT NULL,
	"deleted" boolean NOT NULL,
	"version" bigint NOT NULL,
	"updated_at" timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
	CONSTRAINT "agent_snapshots_tenant_id_user_id_record_id_pk" PRIMARY KEY("tenant_id","user_id","record_id")
);
--> statement-breakpoint
CREATE TABLE "agent_tokens" (
	"tenant_id" text NOT NULL,
	"user_id" text NOT NULL,
	"agent_id" text NOT NULL,
	"minute" timestamp with time zone NOT NULL,
	"tokens" bigint NOT NULL,
	CONSTRAINT "agent_tokens_tenant_id_user_id_agent_id_minute_pk" PRIMARY KEY("tenant_id","user_id","agent_id","minute")
);
--> statement-breakpoint
CREATE TABLE "mission_claims" (
	"tenant_id" text NOT NULL,
	"user_id" text NOT NULL,
	"mission_id" text NOT NULL,
	"token" bigint NOT NULL,
	"holder" text NOT NULL,
	"agent_id" text,
	"due_at" timestamp with time zone NOT NULL,
	"expires_at" timestamp with time zone NOT NULL,
	"failures" integer NOT NULL,
	"retry_at" timestamp with time zone,
	CONSTRAINT "mission_claims_tenant_id_user_id_mission_id_pk" PRIMARY KEY("tenant_id","user_id","mission_id")
);
--> statement-breakpoint
CREATE TABLE "mission_decrypt_audit" (
	"audit_id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "mission_decrypt_audit_audit_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"at" timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
	"tenant_id" text NOT NULL,
	"user_id" text NOT NULL,
	"mission_id" text NOT NULL,
	"iteration_id" text NOT NULL,
	"table_name" text NOT NULL,
	"record_id" text NOT NULL,
	"field" text NOT NULL,
	"outcome" text NOT NULL
);
--> statement-breakpoint
CREATE TABLE "mission_iterations" (
	"iteration_id" text PRIMARY KEY NOT NULL,
	"tenant_id" text NOT NULL,
	"user_id" text NOT NULL,
	"mission_id" text NOT NULL,
	"agent_id" text,
	"due_at" timestamp with time zone NOT NULL,
	"created_at" timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
	"token" bigint NOT NULL,
	"summary" text NOT NULL,
	"plan" jsonb NOT NULL,
	"overall_status" text NOT NULL,
	"tokens" bigint NOT NULL,
	"actor" jsonb NOT NULL
);
--> statement-breakpoint
CREATE TABLE "mission_outbox" (
	"event_id" text PRIMARY KEY NOT NULL,
	"created_at" timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
	"change" jsonb NOT NULL
);
--> statement-breakpoint
CREATE TABLE "mission_snapshots" (
	"tenant_id" text NOT NULL,
	"user_id" text NOT NULL,
	"record_id" text NOT NULL,
	"record" jsonb NOT NULL,
	"field_meta" jsonb NOT NULL,
	"deleted" boolean NOT NULL,
	"version" bigint NOT NULL,
	"updated_at" timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
	"due_at" timestamp with time zone,
	"agent_id" text,
	CONSTRAINT "mission_snapshots_tenant_id_user_id_record_id_pk" PRIMARY KEY("tenant_id","user_id","record_id")
);
--> statement-breakpoint
CREATE TABLE "record_snapshots" (
	"tenant_id" text NOT NULL,
	"user_id" text NOT NULL,
	"record_id" text NOT NULL,
	"record" jsonb NOT NULL,
	"field_meta" jsonb NOT NULL,
	"deleted" boolean NOT NULL,
	"version" bigint NOT NULL,
	"updated_at" timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
	"table_name" text NOT NULL,
	CONSTRAINT "record_snapshots_tenant_id_user_id_table_name_record_id_pk" PRIMARY KEY("tenant_id","user_id","table_name","record_id")
);
--> statement-breakpoint
CREATE INDEX "agent_tokens_minute_idx" ON "agent_tokens" USING btree ("minute");--> statement-breakpoint
CREATE INDEX "mission_decrypt_audit_refused_idx" ON "mission_decrypt_audit" USING btree ("at") WHERE "mission_decrypt_audit"."outcome" = 'scope-violation';--> statement-breakpoint
CREATE INDEX "mission_decrypt_audit_mission_idx" ON "mission_decrypt_audit" USING btree ("tenant_id","user_id","mission_id","audit_id");--> statement-breakpoint
CREATE UNIQUE INDEX "mission_iterations_due_idx" ON "mission_iterations" USING btree ("tenant_id","user_id","mission_id","due_at");--> statement-breakpoint
CREATE INDEX "mission_outbox_created_idx" ON "mission_outbox" USING btree ("created_at");--> statement-breakpoint
CREATE INDEX "mission_snapshots_due_idx" ON "mission_snapshots" USING btree ("due_at","tenant_id","user_id","record_id") WHERE "mission_snapshots"."due_at" IS NOT NULL;--> statement-breakpoint
CREATE TRIGGER "append_only" BEFORE UPDATE OR DELETE OR TRUNCATE ON "mission_decrypt_audit"
  FOR EACH STATEMENT EXECUTE FUNCTION "refuse_change"();
