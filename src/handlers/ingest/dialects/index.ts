import { ignored, type Mapped } from "../mapped.ts";
import type { LogRecord, Origin, Span } from "../record.ts";
import { aiSdk } from "./ai-sdk.ts";
import { claudeCodeLog } from "./claude-code-logs.ts";
import { codexLog } from "./codex-logs.ts";
import { geminiLog } from "./gemini-logs.ts";
import { genai } from "./genai.ts";
import { genaiLog } from "./genai-logs.ts";
import { type LogDialect, nameOf } from "./log.ts";
import { openinference } from "./openinference.ts";
import { openllmetry } from "./openllmetry.ts";
import { mapSpan, type SpanDialect } from "./span.ts";

/** The first that knows a span maps it: what says most about itself comes first. */
const spanDialects: readonly SpanDialect[] = [openinference, aiSdk, openllmetry, genai];
const logDialects: readonly LogDialect[] = [claudeCodeLog, codexLog, geminiLog, genaiLog];

/** What a span means. Pure: of itself, its resource and its scope, never of its neighbours or parents. */
export function mappedSpan(span: Span, origin: Origin): Mapped {
  if (!isId(span.traceId, 32) || !isId(span.spanId, 16)) return ignored("none", "no_identity");
  for (const dialect of spanDialects) {
    const kind = dialect.kindOf(span);
    if (kind !== null) return mapSpan(dialect, kind, span, origin);
  }
  return ignored("none", "not_an_agent");
}

/** What a log record means. Pure, too. */
export function mappedLog(record: LogRecord, origin: Origin): Mapped {
  const name = nameOf(record);
  for (const dialect of logDialects) {
    const event = dialect.eventOf(name, origin);
    if (event === null) continue;
    const map = dialect.events[event];
    return map === undefined ? ignored(dialect.name, "no_outcome") : map(record, origin);
  }
  return ignored("none", "not_an_agent");
}

function isId(id: string, digits: number): boolean {
  return id.length === digits && /^[0-9a-f]*[1-9a-f][0-9a-f]*$/.test(id);
}
