import type { ClientError } from "./types.ts";

export interface Connection {
  readonly url: string;
  readonly fetch: typeof fetch;
  readonly headers: Readonly<Record<string, string>>;
}

/** What the service refused, or why there was no answer. */
export class BusClientError extends Error implements ClientError {
  readonly code: string;
  readonly status?: number;

  constructor({ code, message, status }: ClientError, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "BusClientError";
    this.code = code;
    if (status !== undefined) this.status = status;
  }

  static of(thrown: unknown): BusClientError {
    if (thrown instanceof BusClientError) return thrown;
    const message = thrown instanceof Error ? thrown.message : String(thrown);
    return new BusClientError({ code: "unavailable", message }, thrown);
  }

  /** The next attempt may work. */
  get isPassing(): boolean {
    return this.status === undefined || this.status === 429 || this.status >= 500;
  }

  toJSON(): ClientError {
    const { code, message, status } = this;
    return { code, message, ...(status !== undefined && { status }) };
  }
}

/** One request and its whole answer within a deadline, whatever `fetch` makes of an abort. */
export async function ask<Reply>(
  { url, fetch, headers }: Connection,
  path: string,
  request: unknown,
  deadlineMs: number,
): Promise<Reply> {
  const abort = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new BusClientError({ code: "timeout", message: `no answer in ${deadlineMs} ms` }));
      abort.abort();
    }, deadlineMs);
  });
  const answer = async () => {
    const response = await fetch(`${url}/api/v1/${path}`, {
      method: "POST",
      headers: { ...headers, "Content-Type": "application/json" },
      body: JSON.stringify(request),
      signal: abort.signal,
    });
    if (!response.ok) throw await refusalOf(response);
    return (await response.json()) as Reply;
  };
  try {
    return await Promise.race([answer(), late]);
  } finally {
    clearTimeout(timer);
  }
}

/** What a proxy answers need be no JSON. */
export async function refusalOf(response: Response): Promise<BusClientError> {
  const { status } = response;
  const body = (await response.json().catch(() => ({}))) as Partial<ClientError>;
  const { code = "unavailable", message = `status ${status}` } = body;
  return new BusClientError({ code, message, status });
}
