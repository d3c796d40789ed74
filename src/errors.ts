/** The closed list of error codes, each with the HTTP status that the micro protocol and HTTP share. */
export const errorStatus = {
  bad_request: 400,
  unauthorized: 401,
  forbidden: 403,
  not_found: 404,
  method_not_allowed: 405,
  request_timeout: 408,
  conflict: 409,
  too_large: 413,
  unsupported_media_type: 415,
  busy: 429,
  internal: 500,
  unavailable: 503,
  timeout: 504,
} as const;

export type ErrorCode = keyof typeof errorStatus;

/**
 * The one error that crosses module borders. Adapters translate what their drivers throw into it at
 * their own edge; anything else that reaches a runtime is a bug.
 */
export class BusError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "BusError";
    this.code = code;
  }

  get status(): number {
    return errorStatus[this.code];
  }
}

/** A dependency is unavailable (NATS, KV, Postgres), and the input is not at fault: hold and try again. */
export function isOutage(error: unknown): error is BusError {
  return error instanceof BusError && (error.code === "unavailable" || error.code === "timeout");
}

/** The input itself was refused: trying the same again will not help for ever. */
export function isRefusal(error: unknown): error is BusError {
  return error instanceof BusError && error.status < 500 && error.code !== "busy";
}

/** The text of anything thrown, for logs and headers. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
