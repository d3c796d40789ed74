import { claudeCodeSession } from "./dialects/claude-code-session.ts";
import { codexExecSession } from "./dialects/codex-exec-session.ts";
import { codexSession } from "./dialects/codex-session.ts";
import { isFields } from "./dialects/fields.ts";
import { mappedLog, mappedSpan } from "./dialects/index.ts";
import type { SessionFile, SessionReader } from "./dialects/session.ts";
import { flatSpan } from "./flat-span.ts";
import { ignored, type Mapped, type MappedEvent } from "./mapped.ts";
import { jsonValueBatch } from "./otlp/json.ts";

/** What lies in files: a reader for each file, for a call and its result are two lines of it. */
export const fileFormats = {
  "claude-code": claudeCodeSession,
  codex: codexSession,
  "codex-exec": codexExecSession,
  "otlp-json": otlpLines,
  openinference: otlpLines,
  jsonl: eventLines,
} as const satisfies Record<string, (file: SessionFile) => SessionReader>;

export type FileFormat = keyof typeof fileFormats;

/** Export requests as the Collector writes them, one a line, or spans by themselves. */
function otlpLines(): SessionReader {
  return {
    read(line) {
      const found: Mapped[] = [];
      if ("resourceLogs" in line) {
        jsonValueBatch(line).logs((record, origin) => found.push(mappedLog(record, origin)));
        return found;
      }
      if ("resourceSpans" in line) {
        jsonValueBatch(line).spans((span, origin) => found.push(mappedSpan(span, origin)));
        return found;
      }
      const flat = flatSpan(line);
      return [flat === null ? ignored("none", "unreadable") : mappedSpan(flat.span, flat.origin)];
    },
  };
}

/** Experience events as they are; they are checked where they are published. */
function eventLines(): SessionReader {
  return {
    read: (line) =>
      isFields(line["result"])
        ? [{ dialect: "jsonl", event: line as unknown as MappedEvent }]
        : [ignored("jsonl", "unreadable")],
  };
}
