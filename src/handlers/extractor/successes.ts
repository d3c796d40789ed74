import type { ExperienceEvent } from "./event.ts";
import { type Signals, servedBy } from "./signature.ts";

/**
 * What lately worked for one tenant, agent and task type: the latest success per tool or per
 * provider, model and profile. It shapes the wording of lessons, never their existence.
 */
export interface Successes {
  /** Newest first. */
  readonly latest: readonly Success[];
}

export interface Success {
  readonly by: Signals;
  /** Event time of its latest sampled success, epoch ms, to within a sixteenth of the window. */
  readonly ts: number;
}

export const noSuccesses: Successes = { latest: [] };

const mostKept = 16;
const mostNamed = 3;

/** Steady good traffic refreshes an entry this often at most, so that it costs almost no writes. */
function refreshMs(windowMs: number): number {
  return windowMs / 16;
}

/** Adds sampled OK events, or successes; the same object when nothing changed, which is nearly always. */
export function addSuccesses(
  successes: Successes,
  additions: readonly (ExperienceEvent | Success)[],
  windowMs: number,
): Successes {
  const latest = [...successes.latest];
  let changed = false;
  for (const event of additions) {
    const by = "by" in event ? event.by : servedBy(event);
    const name = nameOf(by);
    if (name === "") continue;
    const index = latest.findIndex((success) => nameOf(success.by) === name);
    const known = latest[index];
    if (known && event.ts <= known.ts + refreshMs(windowMs)) continue;
    if (!known && latest.length >= mostKept && event.ts <= oldest(latest)) continue;
    latest.splice(index === -1 ? latest.length : index, 1, { by, ts: event.ts });
    changed = true;
  }
  if (!changed) return successes;
  return { latest: latest.sort((a, b) => b.ts - a.ts).slice(0, mostKept) };
}

function oldest(successes: readonly Success[]): number {
  return Math.min(...successes.map(({ ts }) => ts));
}

/** A tool's name, or provider/model/profile; empty when the event names none of them. */
export function nameOf({ tool, provider, model, profile }: Signals): string {
  return tool ?? [provider, model, profile].filter((part) => part !== undefined).join("/");
}

export interface WorkedInstead {
  /** Names that lately succeeded, other than the one that failed; of its kind; newest first. */
  readonly others: readonly string[];
  /** What failed has itself succeeded lately, too. */
  readonly sameSucceeded: boolean;
}

/** What to set against a failure of `failed` around `ts`: successes within two windows of it. */
export function workedInstead(
  successes: Successes,
  failed: Signals,
  ts: number,
  windowMs: number,
): WorkedInstead {
  const failedName = nameOf(failed);
  const recent = successes.latest
    .filter((success) => Math.abs(success.ts - ts) <= 2 * windowMs)
    .filter(
      ({ by }) => (by.tool === undefined) === (failed.tool === undefined) || failedName === "",
    )
    .map(({ by }) => nameOf(by));
  return {
    others: recent.filter((name) => name !== failedName).slice(0, mostNamed),
    sameSucceeded: recent.includes(failedName),
  };
}
