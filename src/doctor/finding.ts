import { causeOf } from "../nats/errors.ts";

/** What one check found out. */
export interface Finding {
  readonly check: string;
  readonly status: "ok" | "warning" | "failed";
  /** One sentence; names what was found, and what is wanted where that differs. */
  readonly text: string;
}

export type Report = (finding: Finding) => void;

/** How a check says what it has found: as often as it likes. */
export type Found = Readonly<Record<Finding["status"], (text: string) => void>>;

/** Nothing that a check throws keeps the others from being made: it is a finding like any other. */
export async function examine(
  report: Report,
  check: string,
  work: (found: Found) => Promise<void>,
): Promise<void> {
  const found: Found = {
    ok: (text) => report({ check, status: "ok", text }),
    warning: (text) => report({ check, status: "warning", text }),
    failed: (text) => report({ check, status: "failed", text }),
  };
  try {
    await work(found);
  } catch (error) {
    found.failed(inWords(causeOf(error)));
  }
}

/** What the NATS client (3.4.0) and Node.js say of a server that hangs up, for the operator of that server. */
const hungUp = [
  [
    "node provided an undefined error",
    "the server hung up before it said anything: no nats-server, or one that wants TLS first (handshake_first: set NATS_TLS_FIRST=true)",
  ],
  [
    "socket disconnected before secure TLS connection was established",
    "the server hung up in the middle of the TLS handshake: does it speak TLS?",
  ],
] as const;

/** OpenSSL's `error:<code>:<library>:<function>:<reason>:<file>:<line>:<more>`, a thread before it or none. */
const ofOpenSsl = /^(?:[0-9A-F]+:)?error:[0-9A-F]+:[^:]*:[^:]*:([^:]+)[\s\S]*$/;

function inWords(text: string): string {
  const [, words] = hungUp.find(([said]) => text.includes(said)) ?? [];
  return words ?? text.replace(ofOpenSsl, "$1").trim();
}
