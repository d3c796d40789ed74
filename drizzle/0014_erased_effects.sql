-- What is known of its effect goes with it: of a lesson that is no more nothing is to be confirmed.
CREATE OR REPLACE FUNCTION "erase_lesson"("key" text, "by" text, "why" text) RETURNS boolean LANGUAGE plpgsql
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
