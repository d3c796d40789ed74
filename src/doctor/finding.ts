import { causeOf } from "../bus/errors.ts";

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
    found.failed(causeOf(error));
  }
}
