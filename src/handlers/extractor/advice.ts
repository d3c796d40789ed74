import type { Advice } from "./advice-row.ts";
import { programAdvice } from "./program-advice.ts";
import type { Signals } from "./signature.ts";

const words = (text: string) => text.split(/\s+/).filter((word) => word !== "");

export const adviceTable: readonly Advice[] = [
  {
    name: "context_length",
    statuses: [],
    names: words(`context_length_exceeded context_window_exceeded context_window_exceeded_error
      context_length_exceeded_error prompt_too_long string_above_max_length token_limit_exceeded too_many_tokens`),
    sentence:
      /^(?:\S+: |http_400:? -? ?|\S+ \S+ )*(?:this model's maximum context length is|prompt is too long: |input is too long for requested model)/i,
    of: "model",
    action:
      "Shorten the input of {target} before the call: drop or summarise the oldest turns and large tool results, or choose a model with a larger context.",
    avoid: "Do not send the same input to {target} again; its length will not change by retrying.",
  },
  {
    name: "content_filter",
    statuses: [],
    names:
      words(`content_filter content_filter_error content_policy_violation content_policy_violation_error
      responsible_ai_policy_violation moderation_blocked prompt_blocked safety_error`),
    of: "model",
    action:
      "Rephrase the request to {target} without the part that was refused, or hand the case to a person.",
    avoid: "Do not resend the refused text to {target} or to another model word for word.",
  },
  {
    name: "out_of_credit",
    statuses: [402],
    names:
      words(`insufficient_quota billing_hard_limit_reached billing_error payment_required insufficient_credits
      credit_balance_too_low`),
    of: "model",
    action:
      "Stop calling {target} until its account has credit again: have somebody look at quota and billing, or use another provider.",
    avoid: "Do not wait and retry {target}; the quota does not come back by itself.",
  },
  {
    name: "rate_limit",
    statuses: [429, 529],
    names:
      words(`rate_limit rate_limited rate_limit_error rate_limit_exceeded rate_limit_exceeded_error rate_limit_reached
      too_many_requests too_many_requests_error too_many_requests_exception throttled throttling throttling_exception
      throttling_error throttled_exception request_limit_exceeded provisioned_throughput_exceeded_exception
      resource_exhausted quota_exceeded slow_down overloaded overloaded_error server_overloaded model_overloaded
      model_not_ready_exception`),
    of: "service",
    action:
      "Wait before calling {target} again: honour Retry-After, else back off exponentially with jitter, and lower the number of parallel calls.",
    avoid: "Do not retry {target} at once or from several workers in parallel.",
  },
  {
    name: "timeout",
    statuses: [408, 504, 524, 598, 599],
    names:
      words(`timeout timeout_error timeout_exception timed_out api_timeout_error request_timeout read_timeout
      read_timeout_error connect_timeout connect_timeout_error connection_timeout gateway_timeout gateway_timeout_error
      deadline_exceeded deadline_exceeded_error etimedout esockettimedout socket_timeout_exception tool_timeout
      api_connection_timeout_error execution_timeout`),
    sentence:
      /^the (?:last )?command .* timed out(?: after <duration>)?(?: and (?:has been|was) killed)?$/i,
    of: "any",
    action:
      "Give {target} less to do in one call (smaller input, fewer results), set an explicit deadline, and retry once with backoff before taking another route.",
    avoid:
      "Do not wait for {target} without a deadline, and do not repeat the identical call in a loop.",
  },
  {
    name: "authentication",
    statuses: [401, 407],
    names:
      words(`authentication_error authentication_failed unauthenticated unauthorized unauthorized_error
      unauthorized_exception invalid_api_key incorrect_api_key invalid_api_key_error api_key_invalid expired_token
      token_expired expired_token_exception unrecognized_client_exception invalid_credentials`),
    of: "service",
    action: "Stop calling {target} and have its credentials checked; go on once they are renewed.",
    avoid:
      "Do not retry {target} with the same credentials; repeated refusals can lock the account.",
  },
  {
    name: "permission",
    statuses: [403],
    names:
      words(`permission_error permission_denied permission_denied_error permission_denied_exception forbidden
      forbidden_error access_denied access_denied_error access_denied_exception unauthorized_operation`),
    of: "service",
    action:
      "Do without what {target} refuses, or ask whoever grants the rights for them; name the operation and the account.",
    avoid: "Do not try other ways around the refusal of {target}, and do not retry it unchanged.",
  },
  {
    name: "no_such_model",
    statuses: [],
    names: words(
      "model_not_found model_not_found_error model_not_available no_such_model deployment_not_found",
    ),
    of: "model",
    action:
      "Check the name of the model against the provider's list, and that this account may use it; fall back to one that is there.",
    avoid: "Do not repeat calls of {target} under this name.",
  },
  {
    name: "not_found",
    statuses: [404, 410],
    names:
      words(`not_found not_found_error not_found_exception resource_not_found resource_not_found_exception no_such_key
      no_such_bucket no_such_entity object_not_found entity_not_found record_not_found`),
    of: "service",
    action:
      "Look the item up first and pass {target} an identifier or address that a listing or search has just returned.",
    avoid:
      "Do not call {target} with identifiers that were guessed, remembered or typed from memory.",
  },
  {
    name: "conflict",
    statuses: [409, 412],
    names:
      words(`conflict conflict_error conflict_exception already_exists already_exists_error precondition_failed
      resource_conflict_exception failed_precondition version_conflict optimistic_lock_error`),
    of: "service",
    action:
      "Read the present state from {target} before writing, and decide again from what is there.",
    avoid: "Do not repeat the same write to {target}; the state has changed meanwhile.",
  },
  {
    name: "too_large",
    statuses: [413],
    names: words("request_too_large payload_too_large request_entity_too_large content_too_large"),
    of: "service",
    action: "Send {target} less in one call: split it, or pass a reference instead of the content.",
    avoid: "Do not send the same content to {target} again; its size will not change by retrying.",
  },
  {
    name: "invalid_request",
    statuses: [400, 422],
    names:
      words(`bad_request bad_request_error bad_request_exception invalid_request invalid_request_error invalid_argument
      invalid_arguments invalid_argument_error invalid_arguments_error invalid_params invalid_parameters validation_error
      validation_exception unprocessable_entity unprocessable_entity_error schema_mismatch missing_required_argument
      invalid_tool_arguments`),
    of: "service",
    action:
      "Check the arguments of {target} against its schema and against data just read (ids, formats, totals), correct what the error names, then call once.",
    avoid: "Do not repeat a call of {target} with unchanged arguments.",
  },
  {
    name: "server_error",
    statuses: [500, 502, 503, 507, 520, 521, 522, 523, 525, 530],
    names:
      words(`server_error internal_server_error internal_server_exception internal_error internal_failure api_error
      bad_gateway bad_gateway_error service_unavailable service_unavailable_error service_unavailable_exception unavailable
      api_connection_error econnrefused econnreset ehostunreach epipe connection_refused connection_reset
      connection_refused_error connection_reset_error`),
    of: "service",
    action:
      "Treat {target} as down: retry a few times with exponential backoff, then use an alternative and report the outage.",
    avoid: "Do not change the request to {target} to cure this; the fault is on the serving side.",
  },
  ...programAdvice,
];

/** Tools that run programs: what these print is no status of the tool's own. */
const ofShell =
  /^(?:ba|z|k|da|fi|c|power)?sh$|^(?:cmd|shell|terminal|console|bash_?tool|execute(?:_bash|_command|_code)?|exec(?:_command)?|run(?:_command|_shell(?:_command)?|_terminal_cmd|_in_terminal|_tests?|_bash)?|code_?interpreter|python\d?(?:\.\d+)?|node|npm|npx|pnpm|yarn|bun|deno|pip\d?|uv|poetry|git|grep|rg|find|sed|awk|cat|head|tail|ls|cd|cp|mv|rm|mkdir|touch|test|echo|make|cmake|gcc|g\+\+|clang|cargo|rustc|go|java|javac|mvn|gradle|tsc|eslint|jest|vitest|pytest|tox|ruff|mypy|pylint|docker|kubectl|helm|terraform|curl|wget|ssh|psql|sqlite3|\w+\.(?:py|sh|js))$/i;

/** Whether a tool runs programs, or is one. */
export function runsPrograms(tool: string): boolean {
  return ofShell.test(tool);
}

/** The advice that is certainly right for a class and what failed with it; undefined where none is. */
export function adviceFor({ error_class = "", tool }: Signals): Advice | undefined {
  const context = tool === undefined ? "model" : runsPrograms(tool) ? "shell" : "tool";
  const { names, statuses } = namesIn(error_class);
  return adviceTable.find(({ of, sentence, ...row }) => {
    if (of === "model" && context !== "model") return false;
    // What a program printed may look like a name: there only the whole class is one.
    if (context === "shell") {
      return (
        of === "any" && (row.names.includes(error_class) || sentence?.test(error_class) === true)
      );
    }
    return (
      row.names.some((name) => names.has(name)) ||
      row.statuses.some((status) => statuses.has(status)) ||
      sentence?.test(error_class) === true
    );
  });
}

/** Whether a class says by its name already what a status says: `rate_limit_error` and 429. */
export function isImplied(status: number, errorClass: string): boolean {
  const { names, statuses } = namesIn(errorClass);
  if (statuses.size > 0) return true;
  return adviceTable.some(
    (row) => row.statuses.includes(status) && row.names.some((name) => names.has(name)),
  );
}

/** Names and statuses that a class begins with, before its message. */
function namesIn(errorClass: string) {
  const head = errorClass.split(": ", 1)[0] ?? "";
  const tokens = head.split(" ");
  const namesOnly = tokens.length <= 4 && tokens.every((token) => /^[\w.-]+$/.test(token));
  const names = new Set(namesOnly ? tokens.map((token) => snakeCase(token)) : []);
  const found = [...errorClass.matchAll(/(?<![\w])http_(\d{3})(?!\w)/g)].map(([, code]) =>
    Number(code),
  );
  return { names, statuses: new Set(found) };
}

/** The last part of a dotted name, in snake_case. */
function snakeCase(token: string): string {
  const name = token.split(".").at(-1) ?? "";
  return name.replace(/([a-z0-9])([A-Z])|([A-Z]+)(?=[A-Z][a-z])/g, "$1$3_$2").toLowerCase();
}
