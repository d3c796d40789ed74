import { BusError } from "../../errors.ts";
import { Type } from "../../schema/typebox.ts";
import { isFields } from "./dialects/fields.ts";
import { mapHook } from "./dialects/hook.ts";
import { hookAgents, hookDialectOf } from "./dialects/hooks.ts";
import { mappedLog, mappedSpan } from "./dialects/index.ts";
import type { Mapped } from "./mapped.ts";
import { jsonValueBatch } from "./otlp/json.ts";
import { reasons } from "./reasons.ts";

const record = (description: string) =>
  Type.Optional(Type.Record(Type.String(), Type.Unknown(), { description }));

export const explainRequest = Type.Object({
  span: record("a span in OTLP's JSON"),
  log: record("a log record in OTLP's JSON"),
  resource: record("its resource in OTLP's JSON: `attributes`"),
  scope: record("its scope: `name`"),
  hook: record("what a coding agent gives to its hooks"),
  agent: Type.Optional(Type.String({ description: `of the hook: ${hookAgents.join(", ")}` })),
  tenant_id: Type.Optional(Type.String({ description: "not used: nothing is stored" })),
});

export const explainReply = Type.Object({
  dialect: Type.String({ description: "which convention understood it; `none` where none did" }),
  event: record("the experience event that it becomes, if it counts"),
  run_events: Type.Array(Type.Record(Type.String(), Type.Unknown())),
  reason: Type.Optional(Type.String({ description: "why it is no evidence, from a closed list" })),
  because: Type.String(),
});

type Record = Readonly<{ [key: string]: unknown }>;

export interface ExplainRequest {
  readonly span?: Record;
  readonly log?: Record;
  readonly resource?: Record;
  readonly scope?: Record;
  readonly hook?: Record;
  readonly agent?: string;
}

/** What one record means. Throws `bad_request` where there is none, or it cannot be read. */
export function explained(request: ExplainRequest, receivedAt: number) {
  const { dialect, event, run = [], reason } = mappedOf(request, receivedAt);
  return {
    dialect,
    ...(event !== undefined && { event }),
    run_events: run,
    ...(reason !== undefined && { reason }),
    because: reason === undefined ? "it counts" : reasons[reason],
  };
}

function mappedOf(request: ExplainRequest, receivedAt: number): Mapped {
  const { span, log, resource, scope, hook, agent = "claude-code" } = request;
  if (isFields(hook)) {
    const dialect = hookDialectOf(agent);
    if (dialect !== undefined) return mapHook(dialect, { fields: hook, receivedAt });
    throw new BusError("bad_request", `agent: hooks are known of ${hookAgents.join(", ")}`);
  }
  const found: Mapped[] = [];
  const group = (scoped: object) => [{ resource, ...scoped }];
  if (isFields(span)) {
    const resourceSpans = group({ scopeSpans: [{ scope, spans: [span] }] });
    jsonValueBatch({ resourceSpans }).spans((one, origin) => found.push(mappedSpan(one, origin)));
  } else if (isFields(log)) {
    const resourceLogs = group({ scopeLogs: [{ scope, logRecords: [log] }] });
    jsonValueBatch({ resourceLogs }).logs((one, origin) => found.push(mappedLog(one, origin)));
  }
  const [mapped] = found;
  if (mapped !== undefined) return mapped;
  throw new BusError("bad_request", "name one of span, log and hook");
}
