import type { Rig } from "./rig.ts";

export interface BenchOptions {
  readonly rig: Rig;
  /** A small run, to see that it works. */
  readonly quick: boolean;
  readonly rounds: number;
  /** Of the parts that read a mix of events. */
  readonly events: number;
  log(line: string): void;
}

/** What the README promises, and what was measured. */
export interface Promised {
  readonly promise: string;
  readonly limit: number;
  readonly measured: number;
  /** The limit is an upper one. */
  readonly most?: boolean;
}

/** One thing that is measured: `npm run bench -- --only <name>`. Figures are written as JSON under its name. */
export interface Part<F = unknown> {
  readonly name: string;
  measure(options: BenchOptions): Promise<F>;
  promises?(figures: F): readonly Promised[];
  /** Lines of Markdown. */
  report(figures: F): readonly string[];
}
