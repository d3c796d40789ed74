import { describe, expect, test } from "vitest";
import { adviceFor, adviceTable } from "../../../src/handlers/extractor/advice.ts";
import { normaliseErrorClass } from "../../../src/handlers/extractor/rules/error-class/normalise.ts";

/** As the rule looks it up: of a model's call, or of the tool that is named. */
const nameFor = (errorClass: string, tool?: string) =>
  adviceFor({ error_class: normaliseErrorClass(errorClass), ...(tool !== undefined && { tool }) })
    ?.name;

const words = (text: string) => text.split(" ");

/** As they come from providers and HTTP clients: in snake case, as class names, before a message, in a body. */
const ofModels: Record<string, readonly string[]> = {
  timeout: [
    ...words(
      "timeout TimeoutError APITimeoutError ReadTimeout timed_out ETIMEDOUT http_408 http_504",
    ),
    ...words("deadline_exceeded DeadlineExceeded gateway_timeout"),
    "openai.APITimeoutError: Request timed out.",
  ],
  rate_limit: [
    ...words("rate_limit RateLimitError rate_limit_exceeded too_many_requests TooManyRequests"),
    ...words(
      "http_429 ThrottlingException quota_exceeded RESOURCE_EXHAUSTED overloaded_error http_529",
    ),
    "Error code: 429 - {'error': {'message': 'slow', 'type': 'requests', 'code': 'rate_limit_exceeded'}}",
    '{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}',
    "429 Too Many Requests",
  ],
  context_length: [
    ...words("context_length_exceeded ContextWindowExceededError prompt_too_long"),
    "prompt is too long: 210000 tokens > 200000 maximum",
    "This model's maximum context length is 8192 tokens. However, you requested 9000 tokens.",
    "Error code: 400 - {'error': {'message': 'm', 'type': 'invalid_request_error', 'code': 'context_length_exceeded'}}",
  ],
  authentication: words(
    "authentication_error AuthenticationError unauthorized invalid_api_key http_401 UNAUTHENTICATED",
  ),
  permission: words("http_403 permission_denied AccessDeniedException Forbidden"),
  content_filter: words("content_filter ContentPolicyViolationError"),
  out_of_credit: words("insufficient_quota http_402"),
  invalid_request: words(
    "invalid_request_error BadRequestError http_400 http_422 ValidationException",
  ),
  no_such_model: words("model_not_found"),
  not_found: words("http_404 NotFoundError"),
  server_error: [
    ...words(
      "server_error InternalServerError http_500 http_502 http_503 service_unavailable UNAVAILABLE",
    ),
    "HTTP/1.1 503 Service Unavailable",
  ],
};

describe.each(Object.entries(ofModels))("%s has its own advice", (name, classes) => {
  test.each(classes)("for %j", (errorClass) => {
    expect(nameFor(errorClass)).toBe(name);
  });
});

describe("no advice is better than one that may be wrong", () => {
  test.each([
    ...words("unknown banana author_conflict KeyError author_not_found"),
    "payment amount does not add up",
    "KeyError: 'timeout'",
    "the user asked for a rate limit of 5",
    "flight HAT030 not available on date 2024-05-13",
    "AssertionError: expected 404, got 200",
  ])("for %j", (errorClass) => {
    expect(nameFor(errorClass)).toBeUndefined();
    expect(nameFor(errorClass, "book")).toBeUndefined();
  });

  test.each([
    ["bash", "ls: cannot access '/x': No such file or directory"],
    ["bash", "NotFoundError: no such thing"],
    ["bash", "HTTP 404: https://x.io/a"],
    ["pytest", "E   AssertionError: timeout"],
    ["python3", "TimeoutError: took too long"],
    ["git", "permission_denied"],
    ["curl", "429 Too Many Requests"],
  ])("for what %s printed: %j", (tool, errorClass) => {
    expect(nameFor(errorClass, tool)).toBeUndefined();
  });

  test("for a tool where only a model's call would be sure", () => {
    expect(nameFor("context_length_exceeded", "search")).toBeUndefined();
    expect(nameFor("http_402", "pay")).toBeUndefined();
  });
});

test("what a shell does not find is no item to look up", () => {
  for (const tool of ["pytest", "bash", "execute"]) {
    expect(nameFor("bash: line 1: pytest: command not found", tool)).toBe("command_not_found");
    expect(nameFor("/usr/bin/python3: No module named pytest", tool)).toBe("missing_module");
    expect(nameFor("ModuleNotFoundError: No module named 'numpy'", tool)).toBe("missing_module");
  }
});

test("a tool's own status and name count, and a command's own time limit", () => {
  expect(nameFor("HTTP 404", "get_order")).toBe("not_found");
  expect(nameFor("NotFoundError", "get_order")).toBe("not_found");
  expect(nameFor("timeout", "bash")).toBe("timeout");
});

test.each([
  ["python_does_not_parse", "IndentationError: unexpected indent"],
  ["python_does_not_parse", "SyntaxError: invalid syntax"],
  ["no_such_file", "rm: cannot remove 'x.py': No such file or directory"],
  ["no_such_file", "python: can't open file 'a.py': [Errno 2] No such file or directory"],
  ["no_match", "exit code 1, no match"],
  ["not_a_program", "/x/python: No module named django.test.__main__; 'django.test' is a package"],
  ["ascii_output", "UnicodeEncodeError: 'ascii' codec can't encode character in position 3: no"],
  ["timeout", "The last command <command>pytest a.py</command> timed out and has been killed."],
])("%s is certain of a program's %j", (name, errorClass) => {
  expect(nameFor(errorClass, "bash")).toBe(name);
});

test("a parser of something else than Python is no Python", () => {
  expect(nameFor("SyntaxError: Unexpected token < in JSON at position 0", "node")).toBeUndefined();
});

test("every advice has an action and something to avoid, of its own", () => {
  const texts = adviceTable.flatMap(({ action, avoid }) => [action, avoid]);
  expect(new Set(texts).size).toBe(2 * adviceTable.length);
  for (const text of texts) expect(text).toMatch(/^[A-Z].*\{target\}.*\.$|^[A-Z][^{}]*\.$/);
});

test("no name and no status is in two rows", () => {
  const all = adviceTable.flatMap(({ names, statuses }) => [...names, ...statuses]);
  expect(new Set(all).size).toBe(all.length);
});
