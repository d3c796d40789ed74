import { describe, expect, test } from "vitest";
import { adviceFor, adviceTable } from "../../../src/handlers/extractor/advice.ts";
import { plain } from "../../../src/handlers/extractor/lesson.ts";
import { normaliseErrorClass } from "../../../src/handlers/extractor/rules/error-class/normalise.ts";

/** As the rule looks it up. */
const nameFor = (errorClass: string) => adviceFor(plain(normaliseErrorClass(errorClass))).name;

/** As they come from providers, HTTP clients and tools: in snake case, as class names, as sentences. */
const spellings: Record<string, readonly string[]> = {
  timeout: [
    ..."timeout TimeoutError APITimeoutError ReadTimeout timed_out ETIMEDOUT http_408 http_504".split(
      " ",
    ),
    ..."deadline_exceeded DeadlineExceeded gateway_timeout".split(" "),
    "request timed out after 30 s",
  ],
  rate_limit: [
    ..."rate_limit RateLimitError rate_limit_exceeded too_many_requests TooManyRequests".split(" "),
    ..."http_429 ThrottlingException quota_exceeded resource_exhausted overloaded_error".split(" "),
    "Too Many Requests",
  ],
  context_length: [
    ..."context_length_exceeded ContextWindowExceededError max_tokens prompt_too_long".split(" "),
    ..."too_many_tokens token_limit_exceeded".split(" "),
    "prompt is too long: 210000 tokens",
    "maximum context length is 8192 tokens",
  ],
  authentication: [
    ..."authentication_error AuthenticationError unauthorized Unauthorized invalid_api_key".split(
      " ",
    ),
    ..."http_401 http_403 permission_denied access_denied AccessDeniedException".split(" "),
    ..."Forbidden token_expired InvalidCredentials".split(" "),
  ],
  content_filter: [
    ..."content_filter ContentPolicyViolationError moderation_blocked safety blocked_by_policy".split(
      " ",
    ),
    "the response was filtered by the content management policy",
  ],
  invalid_arguments: [
    ..."invalid_arguments InvalidArgument invalid_request_error BadRequestError http_400".split(
      " ",
    ),
    ..."http_422 ValidationError missing_required_argument TypeError schema_mismatch".split(" "),
    "payment amount does not add up",
  ],
  not_found: [
    ..."not_found NotFoundError http_404 http_410 no_such_tool NoSuchKey does_not_exist".split(" "),
    ..."unknown_user ENOENT model_not_found".split(" "),
    "Error: user not found",
  ],
  server_error: [
    ..."server_error InternalServerError http_500 http_502 http_503 bad_gateway".split(" "),
    ..."BadGateway service_unavailable APIConnectionError ECONNREFUSED ECONNRESET".split(" "),
  ],
};

describe.each(Object.entries(spellings))("%s has its own advice", (name, classes) => {
  test.each(classes)("for %j", (errorClass) => {
    expect(nameFor(errorClass)).toBe(name);
  });
});

test.each(["unknown", "banana", "author_conflict", "KeyError"])("%j gets general advice", (one) => {
  expect(nameFor(one)).toBe("general");
  expect(adviceFor(one).action).toContain("{class}");
});

test("an author that is not found has nothing to do with authentication", () => {
  expect(nameFor("author_not_found")).toBe("not_found");
});

test("every advice has an action and something to avoid, of its own", () => {
  const texts = adviceTable.flatMap(({ action, avoid }) => [action, avoid]);
  expect(new Set(texts).size).toBe(2 * adviceTable.length);
  for (const text of texts) expect(text).toMatch(/^[A-Z].*\.$/);
});
