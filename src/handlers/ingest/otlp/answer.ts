/** How OTLP/HTTP is answered: in the encoding of the request (OTLP specification, OTLP/HTTP Response). */
export type Encoding = "protobuf" | "json";

export const contentTypes = {
  protobuf: "application/x-protobuf",
  json: "application/json",
} as const;

/** Null: neither of the two. */
export function encodingOf(contentType: string | null): Encoding | null {
  const type = (contentType ?? "").split(";")[0]?.trim().toLowerCase();
  if (type === contentTypes.protobuf || type === "application/protobuf") return "protobuf";
  return type === contentTypes.json ? "json" : null;
}

export interface PartialSuccess {
  readonly rejected: number;
  /** With nothing rejected: a warning. */
  readonly message: string;
}

/** `Export…ServiceResponse`; `partial` null: full success, which is an empty message. */
export function exportResponse(
  encoding: Encoding,
  signal: "traces" | "logs",
  partial: PartialSuccess | null,
): Uint8Array {
  if (encoding === "json") {
    const field = signal === "traces" ? "rejectedSpans" : "rejectedLogRecords";
    if (partial === null) return Buffer.from("{}");
    const { rejected, message } = partial;
    return Buffer.from(
      JSON.stringify({ partialSuccess: { [field]: String(rejected), errorMessage: message } }),
    );
  }
  if (partial === null) return new Uint8Array();
  const { rejected, message } = partial;
  const inner = Buffer.concat([
    ...(rejected > 0 ? [key(1, 0), varint(rejected)] : []),
    text(2, message),
  ]);
  return Buffer.concat([key(1, 2), varint(inner.length), inner]);
}

/** `google.rpc.Status`. */
export function statusResponse(encoding: Encoding, code: number, message: string): Uint8Array {
  if (encoding === "json") return Buffer.from(JSON.stringify({ code, message }));
  return Buffer.concat([key(1, 0), varint(code), text(2, message)]);
}

/** gRPC's codes for the HTTP statuses that are answered. */
export function grpcCode(status: number): number {
  const codes: Readonly<Record<number, number>> = {
    ...{ 400: 3, 401: 16, 403: 7, 404: 5, 413: 8, 415: 3, 429: 8, 503: 14, 504: 4 },
  };
  return codes[status] ?? 2;
}

const key = (number: number, type: number) => varint(number * 8 + type);

function text(number: number, value: string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([key(number, 2), varint(bytes.length), bytes]);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 128) {
    bytes.push((rest % 128) + 128);
    rest = Math.floor(rest / 128);
  }
  return Buffer.from([...bytes, rest]);
}
