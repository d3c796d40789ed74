import { BusError } from "../../../errors.ts";
import type { LogRecord, Origin, Span } from "../record.ts";

export type VisitSpan = (span: Span, origin: Origin) => void;
export type VisitLog = (record: LogRecord, origin: Origin) => void;

/** One export request, read as it is visited; visiting throws `bad_request` where it cannot be read. */
export interface OtlpBatch {
  spans(visit: VisitSpan): void;
  logs(visit: VisitLog): void;
}

/** Empty records take two bytes each: a body that is small enough may hold more than memory. */
const mostRecords = 100_000;

export function countRecords(): () => void {
  let count = 0;
  return () => {
    count += 1;
    if (count <= mostRecords) return;
    throw new BusError(
      "too_large",
      `a request has at most ${mostRecords.toLocaleString("en")} records`,
    );
  };
}
