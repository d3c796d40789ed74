-- Takes a lesson out of all tables that hold anything of what it says, and puts on record who did so and why. Runs as
-- whoever calls it: only the owner of the tables may. The lock comes first: an insert that is under way is waited for, and
-- what comes later finds the erasure. Resolves to whether there was a lesson.
CREATE FUNCTION "erase_lesson"("key" text, "by" text, "why" text) RETURNS boolean LANGUAGE plpgsql
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE found_lesson boolean;
BEGIN
  IF key !~ '^[0-9a-f]{64}$' OR btrim(by) = '' OR btrim(why) = '' OR length(by) > 200 OR length(why) > 2000 THEN
    RAISE EXCEPTION 'erase_lesson wants a lesson_key, who erases it and why' USING ERRCODE = 'invalid_parameter_value';
  END IF;
  LOCK TABLE public.agent_lessons, public.lesson_sightings IN SHARE ROW EXCLUSIVE MODE;
  ALTER TABLE public.agent_lessons DISABLE TRIGGER append_only;
  ALTER TABLE public.lesson_sightings DISABLE TRIGGER append_only;
  INSERT INTO public.lesson_erasures (lesson_key, erased_by, reason) VALUES (key, by, why) ON CONFLICT DO NOTHING;
  DELETE FROM public.agent_lessons WHERE lesson_key = key;
  found_lesson := FOUND;
  DELETE FROM public.lesson_sightings WHERE lesson_key = key;
  DELETE FROM public.lesson_outbox WHERE lesson_key = key;
  DELETE FROM public.signature_windows WHERE lesson_key = key;
  DELETE FROM public.lesson_effects WHERE lesson_key = key;
  DELETE FROM public.wide_evidence WHERE evidence_key LIKE '%.' || key;
  ALTER TABLE public.agent_lessons ENABLE TRIGGER append_only;
  ALTER TABLE public.lesson_sightings ENABLE TRIGGER append_only;
  RETURN found_lesson;
END
$$;
--> statement-breakpoint
REVOKE ALL ON FUNCTION "erase_lesson"(text, text, text) FROM PUBLIC;
