/** How many times as often runs fail with a lesson as without, on a logarithmic axis: what is not excluded, and the best guess. */

export interface Interval {
  readonly label: string;
  /** Null: unknown, or infinite. */
  readonly ratio: number | null;
  /** 0: there is no bound. */
  readonly low: number;
  /** Null: there is no bound. */
  readonly high: number | null;
}

const ends = { low: 1 / 16, high: 16 } as const;
const ticks = [
  [1 / 16, "1/16"],
  [1 / 4, "1/4"],
  [1, "1"],
  [4, "4×"],
  [16, "16×"],
] as const;
const rowHeight = 44;
const axisHeight = 28;
const margin = 4;

/** Percent of the width. */
function placeOf(ratio: number): number {
  const kept = Math.min(ends.high, Math.max(ends.low, ratio));
  const part = Math.log(kept / ends.low) / Math.log(ends.high / ends.low);
  return margin + part * (100 - 2 * margin);
}

const percent = (place: number) => `${place.toFixed(2)}%`;

export function IntervalPlot({ intervals }: { readonly intervals: readonly Interval[] }) {
  const height = intervals.length * rowHeight;
  const text = intervals.map(({ label, ...rest }) => `${label}: ${intervalText(rest)}`).join("; ");
  return (
    <svg class="chart" width="100%" height={height + axisHeight} role="img" aria-label={text}>
      {ticks.map(([ratio, name]) => (
        <>
          <line
            class={ratio === 1 ? "reference" : "grid"}
            x1={percent(placeOf(ratio))}
            x2={percent(placeOf(ratio))}
            y1="0"
            y2={height}
          />
          <text class="tick" x={percent(placeOf(ratio))} y={height + 18} text-anchor="middle">
            {name}
          </text>
        </>
      ))}
      {intervals.map((one, index) => (
        <Row interval={one} top={index * rowHeight} />
      ))}
    </svg>
  );
}

function Row({ interval, top }: { readonly interval: Interval; readonly top: number }) {
  const { label, ratio, low, high } = interval;
  const y = top + 28;
  const to = high === null ? 100 : placeOf(high);
  const from = low === 0 ? 0 : placeOf(low);
  return (
    <>
      <text class="label" x={percent(margin)} y={top + 14}>
        {label}
      </text>
      <line class="interval" x1={percent(from)} x2={percent(to)} y1={y} y2={y} />
      {ratio !== null && <circle class="point" cx={percent(placeOf(ratio))} cy={y} r="5" />}
    </>
  );
}

/** `0.25 (0.10 to 0.60)`. */
export function intervalText({ ratio, low, high }: Omit<Interval, "label">): string {
  const bounds = `${low === 0 ? "no lower bound" : low.toFixed(2)} to ${high === null ? "no upper bound" : high.toFixed(2)}`;
  return `${ratio === null ? "not known" : ratio.toFixed(2)} (${bounds})`;
}
