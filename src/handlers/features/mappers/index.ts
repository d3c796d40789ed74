import { includesSubject } from "../../../nats/subject-pattern.ts";
import { feedback } from "./feedback.ts";
import { general } from "./general.ts";
import type { Mapper } from "./mapper.ts";
import { taskSynced } from "./task-synced.ts";

/** All mappers; the first with a fitting subject maps an event. */
const mappers: readonly Mapper[] = [taskSynced, feedback, general];

export function mapperOf(subject: string): Mapper {
  const mapper = mappers.find(({ subjects }) =>
    subjects.some((pattern) => includesSubject(pattern, subject)),
  );
  return mapper ?? general;
}
