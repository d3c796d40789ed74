/** Why a record is no evidence: a closed list, for metrics, `explain`, the import's summary and OTLP warnings. */
export const reasons = {
  container_span: "it contains the calls that count, and repeats their errors",
  server_kind: "the caller's side of the same call counts",
  user_rejected: "a person said no: counted as cancelled",
  collateral: "it was given up because another call failed: counted as cancelled",
  control_flow: "it ended by control flow, not by a failure: counted as cancelled",
  stopped: "it was stopped on purpose: counted as cancelled",
  policy: "a rule refused it, which is no failure",
  unknown_outcome: "nothing says how it ended",
  repeats: "another record tells of the same call",
  no_outcome: "this kind of record tells of no outcome",
  not_an_agent: "no tool call and no model call in any dialect that is known",
  scope: "EXPERIENCE_OTLP_SCOPES leaves its instrumentation scope out",
  no_identity: "it has no valid trace id and span id: is this a body of logs, sent as traces?",
  unreadable: "it is not a record of this format",
  too_old: "it is older than --since",
} as const;

export type Reason = keyof typeof reasons;
