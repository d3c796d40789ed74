import { hash } from "node:crypto";
import { eventOf } from "../build-event.ts";
import { failureOf } from "../failure.ts";
import { ignored, type Mapped } from "../mapped.ts";
import { type LogRecord, type Origin, textOf } from "../record.ts";
import { common, type LogDialect, timeOf, withoutPrefix } from "./log.ts";

const name = "genai";

/** Events of the GenAI conventions: what an evaluation found. Their other events repeat spans. */
export const genaiLog: LogDialect = {
  name,
  eventOf: (event) => withoutPrefix(event, "gen_ai.", false),
  events: {
    "evaluation.result": evaluation,
    "client.inference.operation.details": () => ignored(name, "repeats"),
    "client.operation.exception": () => ignored(name, "repeats"),
  },
};

const bad = /^(?:fail(?:ed|ure)?|incorrect|wrong|bad|false|no|unsafe|irrelevant|hallucinated)$/i;
const good = /^(?:pass(?:ed)?|correct|right|good|true|yes|safe|relevant|ok)$/i;

/** By its label: whether a score is good the higher or the lower, the conventions do not say. */
function evaluation(record: LogRecord, origin: Origin): Mapped {
  const { attributes, traceId, spanId } = record;
  const label = textOf(attributes, "gen_ai.evaluation.score.label") ?? "";
  const hasFailed = bad.test(label);
  if (!hasFailed && !good.test(label)) return ignored(name, "unknown_outcome");
  const kind = textOf(attributes, "gen_ai.evaluation.name") ?? "unnamed";
  const of = textOf(attributes, "gen_ai.response.id") ?? `${traceId}:${spanId}`;
  const call = {
    ...common(name, record, origin),
    called: "tool" as const,
    eventId: `eval:${hash("sha256", JSON.stringify([of, kind, timeOf(record)]), "hex")}`,
    agent: textOf(attributes, "gen_ai.agent.name") ?? textOf(origin.resource, "service.name"),
    task: "evaluation",
    run: textOf(attributes, "gen_ai.conversation.id", "session.id") ?? (traceId || undefined),
    tool: kind,
    failure: hasFailed
      ? failureOf("tool", { types: [`eval:${kind}:${label}`], messages: [], httpStatus: undefined })
      : null,
  };
  return { dialect: name, event: eventOf(call) };
}
