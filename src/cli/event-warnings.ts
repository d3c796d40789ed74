import type { ExperienceEvent } from "../handlers/extractor/event.ts";
import { experienceEvents } from "../handlers/extractor/wire.ts";

/** Something about valid events that their producer probably did not mean. */
export interface EventWarning {
  readonly warning: string;
  readonly events: number;
  readonly first_line: number;
}

/** Many more fields than these, and it is not one field that is misspelled. */
const mostWarnings = 50;

/** Collects what is odd about the events of a file, each oddity once, with how many events have it. */
export function collectWarnings() {
  const found = new Map<string, { events: number; first_line: number }>();
  return {
    note(line: number, warnings: readonly string[]): void {
      for (const warning of warnings) {
        const known = found.get(warning) ?? { events: 0, first_line: line };
        if (known.events === 0 && found.size === mostWarnings) continue;
        const first_line = Math.min(known.first_line, line);
        found.set(warning, { events: known.events + 1, first_line });
      }
    },
    /** The one that most events have first. */
    all(): EventWarning[] {
      const all = [...found].map(([warning, seen]) => ({ warning, ...seen }));
      return all.sort((a, b) => b.events - a.events || a.first_line - b.first_line);
    },
  };
}

/** What is odd about a valid event: unknown fields, and what a lesson would need. */
export function warningsOf(value: unknown, event: ExperienceEvent): string[] {
  const warnings = experienceEvents.unknownFields(value).map((field) => {
    const shown = field.length > 80 ? `${field.slice(0, 80)}…` : field;
    return `the field ${shown} is not read`;
  });
  const { agent_id, result } = experienceEvents.read(value);
  if (agent_id === undefined) warnings.push("no agent_id: they count for the agent unknown");
  if (event.ok || event.cancelled) return warnings;
  const served = [event.tool, event.provider, event.model, event.profile];
  if (served.every((one) => one === undefined)) {
    warnings.push("failures with neither tool.name nor llm: it is unknown what failed");
  }
  const { error_class: given = "", http_status: status } = result;
  if (given.trim() === "" && status === undefined) {
    warnings.push("failures without result.error_class and http_status: they make no lesson");
  }
  return warnings;
}
