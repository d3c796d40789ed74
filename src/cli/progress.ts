import type { SingleBar } from "cli-progress";

export type Progress = Pick<SingleBar, "update" | "stop">;

export const noProgress: Progress = { update: () => undefined, stop: () => undefined };

/** On standard error; where that is no terminal, a line now and then. */
export async function startProgress(total: number, format: string): Promise<Progress> {
  const { SingleBar } = await import("cli-progress");
  const bar = new SingleBar({
    format,
    stream: process.stderr,
    noTTYOutput: true,
    notTTYSchedule: 1_000,
    barCompleteChar: "#",
    barIncompleteChar: ".",
    hideCursor: true,
  });
  bar.start(total, 0);
  return bar;
}
