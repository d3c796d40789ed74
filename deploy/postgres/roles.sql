-- Three roles for the database of Experience Bus: one that migrates, one for the replicas, one that reads lessons.
-- Run it in that database as its owner or a superuser, once before the first migration and again after each one
-- (README.md): it may be run any number of times, and takes away what it does not grant.

DO $$
BEGIN
  IF to_regrole('experience_migrator') IS NULL THEN CREATE ROLE experience_migrator LOGIN; END IF;
  IF to_regrole('experience_service') IS NULL THEN CREATE ROLE experience_service LOGIN; END IF;
  IF to_regrole('experience_reader') IS NULL THEN CREATE ROLE experience_reader LOGIN; END IF;

  -- Nobody creates anything here but the migrator.
  EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
  EXECUTE format('GRANT CONNECT ON DATABASE %I TO experience_service, experience_reader', current_database());
  -- CREATE: for the schema drizzle, which holds the list of migrations.
  EXECUTE format('GRANT CONNECT, CREATE ON DATABASE %I TO experience_migrator', current_database());
END
$$;

REVOKE ALL ON SCHEMA public FROM PUBLIC, experience_service, experience_reader;
GRANT USAGE, CREATE ON SCHEMA public TO experience_migrator;
GRANT USAGE ON SCHEMA public TO experience_service, experience_reader;

-- A migration takes its tables' owner; ours may be older than the roles. Tables of others are left alone.
DO $$
DECLARE
  one regclass;
  function regprocedure;
BEGIN
  FOR one IN
    SELECT oid FROM pg_class
    WHERE relkind IN ('r', 'p', 'S') AND relnamespace IN ('public'::regnamespace, to_regnamespace('drizzle'))
      AND relowner <> 'experience_migrator'::regrole
      -- generated: owned tables
      AND relname IN ('agent_lessons', 'lesson_sightings', 'lesson_outbox', 'wide_evidence', 'window_marks', 'signature_windows', 'lesson_ranks', 'run_windows', 'lesson_windows', 'user_features', 'feature_events', 'agent_runs', 'agent_events', 'lesson_decisions', 'lesson_epochs', 'lesson_exposures', 'lesson_omissions', 'lesson_erasures', 'run_outcomes', 'outcome_watermarks', 'lesson_recurrences', 'run_activity', 'lesson_outcomes', 'lesson_effects', 'effect_checks', 'review_clock', 'review_entries', 'review_events', 'memory_entries', 'memory_feedback', 'memory_promotions', 'agent_snapshots', 'mission_snapshots', 'record_snapshots', 'mission_claims', 'agent_claims', 'agent_tokens', 'mission_iterations', 'mission_outbox', 'mission_decrypt_audit', 'experience_counts', 'experience_agent_counts', 'experience_agents', 'leases', 'stream_positions', 'experience_bus_migrations')
      -- end of owned tables
      -- A sequence of a column goes with its table.
      AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = pg_class.oid AND deptype IN ('a', 'i', 'e')
        AND classid = 'pg_class'::regclass)
  LOOP
    EXECUTE format('ALTER TABLE %s OWNER TO experience_migrator', one);
  END LOOP;
  IF to_regnamespace('drizzle') IS NOT NULL THEN ALTER SCHEMA drizzle OWNER TO experience_migrator; END IF;
  FOR function IN
    SELECT to_regprocedure(name) FROM (VALUES ('public.refuse_change()'), ('public.leave_out_erased()'),
      ('public.erase_lesson(text, text, text)')) AS functions (name)
    WHERE to_regprocedure(name) IS NOT NULL
  LOOP
    EXECUTE format('ALTER FUNCTION %s OWNER TO experience_migrator', function);
  END LOOP;
END
$$;

-- Before the first migration there is nothing to grant.
DO $$
DECLARE wanted record;
BEGIN
  REVOKE ALL ON ALL TABLES IN SCHEMA public FROM PUBLIC, experience_service, experience_reader;
  REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM PUBLIC, experience_service, experience_reader;
  IF to_regnamespace('drizzle') IS NOT NULL THEN
    REVOKE ALL ON SCHEMA drizzle FROM PUBLIC, experience_service, experience_reader;
    REVOKE ALL ON ALL TABLES IN SCHEMA drizzle FROM PUBLIC, experience_service, experience_reader;
    REVOKE ALL ON ALL SEQUENCES IN SCHEMA drizzle FROM PUBLIC, experience_service, experience_reader;
  END IF;
  FOR wanted IN
    SELECT * FROM (VALUES
      -- generated: service grants
      ('experience_service', 'public.agent_lessons', 'SELECT, INSERT'),
      ('experience_service', 'public.lesson_sightings', 'SELECT, INSERT'),
      ('experience_service', 'public.lesson_outbox', 'SELECT, INSERT, UPDATE, DELETE'),
      ('experience_service', 'public.wide_evidence', 'SELECT, INSERT, UPDATE, DELETE'),
      ('experience_service', 'public.window_marks', 'SELECT, INSERT, UPDATE'),
      ('experience_service', 'public.signature_windows', 'SELECT, INSERT, UPDATE, DELETE'),
      ('experience_service', 'public.lesson_ranks', 'SELECT, UPDATE, DELETE'),
      ('experience_service', 'public.run_windows', 'SELECT, INSERT, UPDATE, DELETE'),
      ('experience_service', 'public.lesson_windows', 'SELECT'),
      ('experience_service', 'public.user_features', 'SELECT, INSERT, UPDATE'),
      ('experience_service', 'public.feature_events', 'SELECT, INSERT, UPDATE, DELETE'),
      ('experience_service', 'public.agent_runs', 'SELECT, INSERT, UPDATE, DELETE'),
      ('experience_service', 'public.agent_events', 'SELECT, INSERT, DELETE'),
      ('experience_service', 'public.lesson_decisions', 'SELECT, INSERT'),
      ('experience_service', 'public.lesson_epochs', 'SELECT, INSERT'),
      ('experience_service', 'public.lesson_exposures', 'SELECT, INSERT'),
      ('experience_service', 'public.lesson_omissions', 'SELECT, INSERT'),
      ('experience_service', 'public.lesson_erasures', 'SELECT'),
      ('experience_service', 'public.run_outcomes', 'SELECT, INSERT'),
      ('experience_service', 'public.outcome_watermarks', 'SELECT, INSERT, UPDATE'),
      ('experience_service', 'public.lesson_recurrences', 'SELECT, INSERT, UPDATE, DELETE'),
      ('experience_service', 'public.run_activity', 'SELECT, INSERT, UPDATE, DELETE'),
      ('experience_service', 'public.lesson_outcomes', 'SELECT, INSERT'),
      ('experience_service', 'public.lesson_effects', 'SELECT, INSERT, UPDATE'),
      ('experience_service', 'public.effect_checks', 'SELECT, INSERT, UPDATE'),
      ('experience_service', 'public.review_clock', 'SELECT, UPDATE'),
      ('experience_service', 'public.review_entries', 'SELECT, INSERT, UPDATE, DELETE'),
      ('experience_service', 'public.review_events', 'SELECT, INSERT'),
      ('experience_service', 'public.memory_entries', 'SELECT, INSERT, UPDATE, DELETE'),
      ('experience_service', 'public.memory_feedback', 'SELECT, INSERT, DELETE'),
      ('experience_service', 'public.memory_promotions', 'SELECT, INSERT'),
      ('experience_service', 'public.agent_snapshots', 'SELECT, INSERT, UPDATE'),
      ('experience_service', 'public.mission_snapshots', 'SELECT, INSERT, UPDATE'),
      ('experience_service', 'public.record_snapshots', 'SELECT, INSERT, UPDATE'),
      ('experience_service', 'public.mission_claims', 'SELECT, INSERT, UPDATE'),
      ('experience_service', 'public.agent_claims', 'SELECT, INSERT, UPDATE'),
      ('experience_service', 'public.agent_tokens', 'SELECT, INSERT, UPDATE, DELETE'),
      ('experience_service', 'public.mission_iterations', 'SELECT, INSERT'),
      ('experience_service', 'public.mission_outbox', 'SELECT, INSERT, DELETE'),
      ('experience_service', 'public.mission_decrypt_audit', 'SELECT, INSERT'),
      ('experience_service', 'public.experience_counts', 'SELECT, INSERT, UPDATE, DELETE'),
      ('experience_service', 'public.experience_agent_counts', 'SELECT, INSERT, UPDATE, DELETE'),
      ('experience_service', 'public.experience_agents', 'SELECT, INSERT, UPDATE, DELETE'),
      ('experience_service', 'public.leases', 'SELECT, INSERT, UPDATE, DELETE'),
      ('experience_service', 'public.stream_positions', 'SELECT, INSERT, UPDATE'),
      ('experience_service', 'drizzle.experience_bus_migrations', 'SELECT'),
      -- end of service grants
      ('experience_reader', 'public.agent_lessons', 'SELECT'),
      ('experience_reader', 'public.lesson_sightings', 'SELECT'),
      ('experience_reader', 'public.lesson_erasures', 'SELECT'),
      ('experience_reader', 'public.signature_windows', 'SELECT'),
      ('experience_reader', 'public.lesson_ranks', 'SELECT'),
      ('experience_reader', 'public.run_windows', 'SELECT'),
      ('experience_reader', 'public.lesson_windows', 'SELECT')
    ) AS grants (role, name, privileges)
  LOOP
    IF to_regclass(wanted.name) IS NOT NULL THEN
      EXECUTE format('GRANT %s ON %s TO %I', wanted.privileges, wanted.name, wanted.role);
    END IF;
  END LOOP;
  IF to_regnamespace('drizzle') IS NOT NULL THEN
    GRANT USAGE ON SCHEMA drizzle TO experience_service;
  END IF;
END
$$;
