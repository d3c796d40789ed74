import { normaliseErrorClass } from "../extractor/rules/error-class/normalise.ts";
import { errorLine } from "./error-line.ts";
import type { Reason } from "./reasons.ts";

/** What a record says of how a call failed, the best first. */
export interface Signs {
  /** Names of kinds of errors: `error.type`, `exception.type`. */
  readonly types: readonly (string | undefined)[];
  readonly messages: readonly (string | undefined)[];
  readonly httpStatus: number | undefined;
}

export interface Failure {
  readonly errorClass: string;
  readonly httpStatus: number | undefined;
  /** It was no failure: stopped on purpose, refused by a person, given up with a sibling, control flow. */
  readonly cancelled: Reason | null;
}

/** Kinds that say nothing of what went wrong. */
const empty =
  /^(?:_OTHER|other|error|exception|tool_?error|unknown|failure|failed|\d+|none|null)$/i;

const controlFlow =
  /^(?:CallDeferred|ApprovalRequired|GraphInterrupt|NodeInterrupt|GraphBubbleUp|HandoffException)$/;
const stops =
  /^(?:CancelledError|CanceledError|AbortError|KeyboardInterrupt|OperationCanceledException|TaskCanceledException|Cancelled|Canceled|GeneratorExit|AgentsCancelled|request_?cancell?ed)$/i;

const rejections =
  /^(?:the )?user (?:doesn't want to (?:proceed|take this action)|rejected|denied|declined|refused|cancell?ed the tool)|tool use was rejected|rejected by (?:the )?user|user_(?:reject|abort)/i;
const collaterals = /sibling tool call errored|parallel tool call .{0,80}errored/i;
const interruptions =
  /^\[?request interrupted by user|^(?:command|tool) (?:was )?(?:aborted|interrupted) by (?:the )?user|\baborted by (?:the )?user/i;

/**
 * What failed, in one line that can be a class. Of a model call the kind of error counts more, for its messages vary; of
 * a tool call the message, for its kinds are few. Free text leaves it only as that line, with what varies taken out.
 */
export function failureOf(called: "tool" | "llm", { types, messages, httpStatus }: Signs): Failure {
  const kinds = types.filter((one) => one !== undefined).map(shortName);
  const lines = messages
    .filter((one) => one !== undefined)
    .map(errorLine)
    .filter((line) => line !== "");
  const status =
    statusIn(httpStatus) ??
    kinds.map((kind) => statusIn(Number(kind))).find((one) => one !== undefined) ??
    lines.map(statusOfText).find((one) => one !== undefined);
  const telling = kinds.find((kind) => !empty.test(kind));
  const http = status === undefined ? undefined : `http_${status}`;
  const [line] = lines;
  const chosen = called === "tool" ? (line ?? telling ?? http) : (telling ?? http ?? line);
  return {
    errorClass: normaliseErrorClass(chosen ?? "unknown"),
    httpStatus: status,
    cancelled: cancellationIn(kinds, lines),
  };
}

function cancellationIn(kinds: readonly string[], lines: readonly string[]): Reason | null {
  if (kinds.some((kind) => controlFlow.test(kind))) return "control_flow";
  if (lines.some((line) => collaterals.test(line))) return "collateral";
  if ([...kinds, ...lines].some((text) => rejections.test(text))) return "user_rejected";
  if (kinds.some((kind) => stops.test(kind)) || lines.some((line) => interruptions.test(line))) {
    return "stopped";
  }
  return null;
}

/** `openai.RateLimitError` and `pkg::RateLimitError` are `RateLimitError`. */
function shortName(type: string): string {
  const name = type.trim().slice(0, 200);
  return /^[\w$]+(?:(?:\.|::|\/)[\w$]+)+$/.test(name)
    ? (name.split(/\.|::|\//).at(-1) ?? name)
    : name;
}

function statusIn(value: number | undefined): number | undefined {
  const isFailure = value !== undefined && Number.isInteger(value) && value >= 400 && value <= 599;
  return isFailure ? value : undefined;
}

function statusOfText(line: string): number | undefined {
  const found =
    /\b(?:error code|status(?: code)?|http(?:\/[\d.]+)?)[ :=-]{1,3}([45]\d\d)\b|^([45]\d\d) [A-Z]/i.exec(
      line,
    );
  return found === null ? undefined : statusIn(Number(found[1] ?? found[2]));
}
