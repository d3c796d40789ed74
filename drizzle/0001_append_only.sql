-- What was learned is never rewritten: whoever connects, the database itself refuses it.
-- SQLSTATE 55000, as PostgreSQL answers an update of a view that cannot take one. Not class 23,
-- 42501 or 40: the service would read those as refused data, a missing grant or something to repeat,
-- while a write that ends here is a bug.
CREATE FUNCTION "refuse_change"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'table "%" is append-only: % is refused', TG_TABLE_NAME, TG_OP
    USING ERRCODE = 'object_not_in_prerequisite_state',
      HINT = 'Lessons and sightings are only ever added. To purge them, disable the trigger append_only as the owner of the table.';
END
$$;
--> statement-breakpoint
CREATE TRIGGER "append_only" BEFORE UPDATE OR DELETE OR TRUNCATE ON "agent_lessons"
  FOR EACH STATEMENT EXECUTE FUNCTION "refuse_change"();
--> statement-breakpoint
CREATE TRIGGER "append_only" BEFORE UPDATE OR DELETE OR TRUNCATE ON "lesson_sightings"
  FOR EACH STATEMENT EXECUTE FUNCTION "refuse_change"();
